// The four roles. Ping and echo take turns; send and count run at full speed. Every word that arrives is checked.
use std::error::Error;
use std::time::Instant;

use crate::serve;
use crate::setup::{node, receive, send as send_word, sender, stream_service, turn_service};
use crate::setup::{Arguments, Receiver, Sender};

struct Ends {
    sender: Sender,
    receiver: Receiver,
    yields: bool,
    words: usize,
}

impl Ends {
    /// Sends one word and waits for the same one to come back.
    #[inline(always)]
    fn round_trip(&self, word: u64) -> Result<(), Box<dyn Error>> {
        send_word(&self.sender, self.words, word)?;
        let answer = receive(&self.receiver, self.yields)?.payload()[0];
        expect(word, answer)
    }

    fn trips(&self, count: u64) -> Result<String, Box<dyn Error>> {
        let mut nanoseconds = Vec::with_capacity(count as usize);
        for word in 0..count {
            let start = Instant::now();
            self.round_trip(word)?;
            nanoseconds.push(start.elapsed().as_nanos() as u64);
        }
        let texts: Vec<String> = nanoseconds.iter().map(u64::to_string).collect();
        Ok(texts.join(" "))
    }

    fn total(&self, count: u64) -> Result<String, Box<dyn Error>> {
        let start = Instant::now();
        for word in 0..count {
            self.round_trip(word)?;
        }
        Ok(start.elapsed().as_nanos().to_string())
    }
}

#[inline(always)]
fn expect(expected: u64, word: u64) -> Result<(), Box<dyn Error>> {
    if word == expected {
        return Ok(());
    }
    Err(format!("expected sample {expected}, got {word}").into())
}

pub fn ping(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let node = node(arguments)?;
    let there = turn_service(&node, "there")?;
    let back = turn_service(&node, "back")?;
    let ends = Ends {
        sender: sender(&there, arguments.words)?,
        receiver: back.subscriber_builder().create()?,
        yields: arguments.yields,
        words: arguments.words,
    };
    serve(|word, count| match word {
        "trips" => ends.trips(count),
        "total" => ends.total(count),
        other => Err(format!("ping knows no {other}").into()),
    })
}

pub fn echo(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let node = node(arguments)?;
    let there = turn_service(&node, "there")?;
    let back = turn_service(&node, "back")?;
    let sender = sender(&back, arguments.words)?;
    let receiver = there.subscriber_builder().create()?;
    serve(|_, count| {
        for expected in 0..count {
            // The temporary sample is released at the end of this statement, before the answer.
            let word = receive(&receiver, arguments.yields)?.payload()[0];
            expect(expected, word)?;
            send_word(&sender, arguments.words, word)?;
        }
        Ok(count.to_string())
    })
}

pub fn send(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let node = node(arguments)?;
    let service = stream_service(&node, arguments.subscribers)?;
    let sender = sender(&service, arguments.words)?;
    serve(|_, count| {
        let start = Instant::now();
        for word in 0..count {
            send_word(&sender, arguments.words, word)?;
        }
        Ok(start.elapsed().as_nanos().to_string())
    })
}

pub fn count(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let node = node(arguments)?;
    let service = stream_service(&node, arguments.subscribers)?;
    let receiver = service.subscriber_builder().create()?;
    serve(|_, count| {
        expect(0, receive(&receiver, arguments.yields)?.payload()[0])?;
        let start = Instant::now();
        for expected in 1..count {
            expect(expected, receive(&receiver, arguments.yields)?.payload()[0])?;
        }
        Ok(start.elapsed().as_nanos().to_string())
    })
}
