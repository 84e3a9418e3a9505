// One side of a measurement over iceoryx2's publish-subscribe, or its events: a process that answers each line on its standard input
// with one line on its standard output, and sleeps in between. It ends at the end of its input, or with its parent.
//
//   iceoryx2_peer ROLE DIRECTORY PAYLOAD_BYTES SUBSCRIBERS spin|yield
//
// ping:  "trips N": N round trips, the nanoseconds of each. "total N": N round trips, the nanoseconds of all.
// echo:  "N": answers N samples, then says N. Start it before the ping of the same batch, in any order of lines.
// send:  "N": sends N samples as fast as the subscribers take them, the nanoseconds of all.
// count: "N": receives N samples in order, the nanoseconds from the first to the last.
// event-ping, event-echo: "N": as ping's trips and as echo, with events in place of samples; they sleep until one comes.
//
// Each says "ready" first, once its ports exist. Files go to DIRECTORY, which the caller removes.
mod events;
mod roles;
mod setup;

use std::error::Error;
use std::io::{stdin, BufRead, Write};

use setup::Arguments;

/// Answers lines with what `answer` makes of them, until the input ends.
pub fn serve(
    mut answer: impl FnMut(&str, u64) -> Result<String, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    say("ready")?;
    for line in stdin().lock().lines() {
        let line = line?;
        let (word, number) = line.rsplit_once(' ').unwrap_or(("", &line));
        say(&answer(word, number.parse()?)?)?;
    }
    Ok(())
}

fn say(line: &str) -> Result<(), Box<dyn Error>> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    setup::end_with_parent();
    match arguments.role.as_str() {
        "ping" => roles::ping(&arguments),
        "echo" => roles::echo(&arguments),
        "send" => roles::send(&arguments),
        "count" => roles::count(&arguments),
        "event-ping" => events::ping(&arguments),
        "event-echo" => events::echo(&arguments),
        other => Err(format!("there is no role called {other}").into()),
    }
}
