//! `colloquy participant`: one synthetic participant.

use std::process::ExitCode;
use std::time::Duration;

use sim::participant::{Ears, Manners, PATIENCE, ParticipantConfig, Progress, run as take_part};

use crate::output;
use crate::serve::{runtime, stop_on_signal};

/// Arguments of `participant`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The participant link, http://host/i#SECRET.
    link: String,
    /// Whose voice answers.
    #[arg(long, default_value = "maya")]
    persona: String,
    /// Interrupt every n-th question after a second.
    #[arg(long, value_name = "N")]
    interrupt_every: Option<u32>,
    /// Give up after this many minutes.
    #[arg(long, default_value_t = 60)]
    minutes_max: u64,
}

/// Takes part and prints how it went.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let manners =
        arguments
            .interrupt_every
            .map_or(Manners::Patient, |every| Manners::Interrupting {
                after: Duration::from_secs(1),
                every,
            });
    let config = ParticipantConfig {
        link: arguments.link,
        persona: arguments.persona,
        start_after: Duration::ZERO,
        seed: 1,
        ears: Ears::Sound,
        manners,
        deadline: Duration::from_secs(arguments.minutes_max * 60),
        local_ip: None,
        patience: PATIENCE,
    };
    let report = runtime()?
        .block_on(async { anyhow::Ok(take_part(config, stop_on_signal()?, print).await?) })?;
    output::line(format!("{report:#?}"));
    Ok(ExitCode::SUCCESS)
}

/// One line per thing that happens.
pub(crate) fn print(progress: Progress) {
    output::line(match progress {
        Progress::Consented { title } => format!("  consented to \"{title}\""),
        Progress::InLine { position } => {
            format!("  all interview places are taken: number {position} in line")
        }
        Progress::Connected => "  connected over WebRTC".to_owned(),
        Progress::Dropped => "  the connection is gone; coming back".to_owned(),
        Progress::Returned(back) => format!("  back ({:?})", back.rung),
        Progress::Phase { title } => format!("  -- {title}"),
        Progress::Heard { text } => format!("  interviewer  {text}"),
        Progress::Answering { text, .. } => format!("  participant  {text}"),
        Progress::Ended { outcome } => format!("  ended: {outcome}"),
    });
}
