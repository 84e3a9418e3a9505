// What every role needs: its arguments, a node with a directory of its own, services with the settings that the
// measurement asks for, and how to wait for a sample without sleeping.
use std::error::Error;
use std::os::unix::process::parent_id;
use std::time::Duration;

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::sample::Sample;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

/// Payloads are slices of words, so that the one that is written and read is aligned and one access.
pub type Words = [u64];
pub type Sender = Publisher<ipc::Service, Words, ()>;
pub type Receiver = Subscriber<ipc::Service, Words, ()>;
type Factory = PortFactory<ipc::Service, Words, ()>;

/// Samples that wait in a subscriber's buffer at most, where many are sent. A power of two, as our side has it.
const STREAM_BUFFER: usize = 256;

/// How often a process looks whether the one that started it is still there.
const PARENT_CHECK: Duration = Duration::from_millis(250);

pub struct Arguments {
    pub role: String,
    pub directory: String,
    pub words: usize,
    pub subscribers: usize,
    pub yields: bool,
}

impl Arguments {
    pub fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut next = |name: &str| given.next().ok_or(format!("missing argument: {name}"));
        let role = next("ROLE")?;
        let directory = next("DIRECTORY")?;
        let bytes: usize = next("PAYLOAD_BYTES")?.parse()?;
        let subscribers = next("SUBSCRIBERS")?.parse()?;
        let yields = next("spin or yield")? == "yield";
        if bytes == 0 || bytes % 8 != 0 {
            return Err(
                format!("a payload of {bytes} bytes is not made of whole 64-bit words").into(),
            );
        }
        Ok(Self {
            role,
            directory,
            words: bytes / 8,
            subscribers,
            yields,
        })
    }
}

/// A node whose files and shared memory carry names that no other run has.
pub fn node(arguments: &Arguments) -> Result<Node<ipc::Service>, Box<dyn Error>> {
    set_log_level(LogLevel::Error);
    let mut config = Config::default();
    config
        .global
        .set_root_path(&Path::new(arguments.directory.as_bytes())?);
    let name = arguments.directory.rsplit('/').next().unwrap_or_default();
    config.global.prefix = FileName::new(format!("{name}_").as_bytes())?;
    Ok(NodeBuilder::new()
        .config(&config)
        .create::<ipc::Service>()?)
}

/// One sample under way at most, the newest: what iceoryx2's own latency benchmark uses.
pub fn turn_service(node: &Node<ipc::Service>, name: &str) -> Result<Factory, Box<dyn Error>> {
    Ok(node
        .service_builder(&name.try_into()?)
        .publish_subscribe::<Words>()
        .max_publishers(1)
        .max_subscribers(1)
        .history_size(0)
        .subscriber_max_buffer_size(1)
        .enable_safe_overflow(true)
        .open_or_create()?)
}

/// Every sample reaches every subscriber: a publisher waits for one that is full.
pub fn stream_service(
    node: &Node<ipc::Service>,
    subscribers: usize,
) -> Result<Factory, Box<dyn Error>> {
    Ok(node
        .service_builder(&"stream".try_into()?)
        .publish_subscribe::<Words>()
        .max_publishers(1)
        .max_subscribers(subscribers)
        .history_size(0)
        .subscriber_max_buffer_size(STREAM_BUFFER)
        .enable_safe_overflow(false)
        .open_or_create()?)
}

pub fn sender(factory: &Factory, words: usize) -> Result<Sender, Box<dyn Error>> {
    Ok(factory
        .publisher_builder()
        .initial_max_slice_len(words)
        .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
        .create()?)
}

/// Loans a sample, writes its first word and nothing else, and sends it.
#[inline(always)]
pub fn send(sender: &Sender, words: usize, value: u64) -> Result<(), Box<dyn Error>> {
    let mut sample = sender.loan_slice_uninit(words)?;
    sample.payload_mut()[0].write(value);
    // Sound: any bits are a word, and the rest of the memory is a slot that the service zeroed or used before.
    unsafe { sample.assume_init() }.send()?;
    Ok(())
}

/// Looks for a sample until there is one.
#[inline(always)]
pub fn receive(
    receiver: &Receiver,
    yields: bool,
) -> Result<Sample<ipc::Service, Words, ()>, Box<dyn Error>> {
    loop {
        if let Some(sample) = receiver.receive()? {
            return Ok(sample);
        }
        if yields {
            std::thread::yield_now();
        }
    }
}

/// Ends this process soon after the one that started it, also while it polls for a partner that is gone.
pub fn end_with_parent() {
    let parent = parent_id();
    std::thread::spawn(move || {
        while parent_id() == parent {
            std::thread::sleep(PARENT_CHECK);
        }
        std::process::exit(1);
    });
}
