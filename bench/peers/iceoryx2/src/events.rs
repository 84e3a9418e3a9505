// The two roles that take turns with events: each sleeps in `blocking_wait_one` until the other's notification wakes it, as iceoryx2's own
// event benchmark does, and every id that arrives is checked.
use std::error::Error;
use std::time::Instant;

use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::event::PortFactory;

use crate::serve;
use crate::setup::{node, Arguments};

/// As many ids as a service of ours has by default.
const IDS: usize = 1024;

struct Ends {
    // They keep the services open.
    _node: Node<ipc::Service>,
    notifier: Notifier<ipc::Service>,
    listener: Listener<ipc::Service>,
    turn: usize,
}

impl Ends {
    fn open(arguments: &Arguments, notifies: &str, listens: &str) -> Result<Self, Box<dyn Error>> {
        let node = node(arguments)?;
        let notifier = service(&node, notifies)?.notifier_builder().create()?;
        let listener = service(&node, listens)?.listener_builder().create()?;
        Ok(Self {
            _node: node,
            notifier,
            listener,
            turn: 0,
        })
    }

    /// The id of the next turn, so that ids change and all are used; the other side counts turns likewise.
    #[inline(always)]
    fn next_id(&mut self) -> usize {
        let id = self.turn * 7 % IDS;
        self.turn += 1;
        id
    }

    #[inline(always)]
    fn notify(&self, id: usize) -> Result<(), Box<dyn Error>> {
        self.notifier
            .notify_with_custom_event_id(EventId::new(id))?;
        Ok(())
    }

    #[inline(always)]
    fn wait_for(&self, expected: usize) -> Result<(), Box<dyn Error>> {
        loop {
            let Some(id) = self.listener.blocking_wait_one()? else {
                continue;
            };
            if id.as_value() == expected {
                return Ok(());
            }
            return Err(format!("expected event {expected}, got {}", id.as_value()).into());
        }
    }
}

fn service(
    node: &Node<ipc::Service>,
    name: &str,
) -> Result<PortFactory<ipc::Service>, Box<dyn Error>> {
    Ok(node
        .service_builder(&name.try_into()?)
        .event()
        .max_notifiers(1)
        .max_listeners(1)
        .event_id_max_value(IDS - 1)
        .open_or_create()?)
}

pub fn ping(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut ends = Ends::open(arguments, "there", "back")?;
    serve(|_, count| {
        let mut nanoseconds = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let id = ends.next_id();
            let start = Instant::now();
            ends.notify(id)?;
            ends.wait_for(id)?;
            nanoseconds.push(start.elapsed().as_nanos() as u64);
        }
        let texts: Vec<String> = nanoseconds.iter().map(u64::to_string).collect();
        Ok(texts.join(" "))
    })
}

pub fn echo(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut ends = Ends::open(arguments, "back", "there")?;
    serve(|_, count| {
        for _ in 0..count {
            let id = ends.next_id();
            ends.wait_for(id)?;
            ends.notify(id)?;
        }
        Ok(count.to_string())
    })
}
