//! What the command is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use sim::corpus::Corpus;

use super::plan::{Mix, Wanted};
use crate::house::STUDY;

/// The language of the interviews, and so of the voices.
const LANGUAGE: &str = "en";

/// Arguments of `load`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Participants.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    pub(super) sessions: u32,
    /// Within which time all of them join, such as 500ms, 90s or 10m.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub(super) ramp: Duration,
    /// How long the interviews are held after that; then an operator ends those that still run.
    #[arg(long, default_value = "2m", value_parser = duration)]
    pub(super) duration: Duration,
    /// Who joins when, whose voice speaks, who interrupts and who drops out.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Share of the participants whose page is suddenly gone, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    pub(super) drop_share: f64,
    /// Share of these that come back, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.8, value_parser = share)]
    pub(super) return_share: f64,
    /// Share of the participants that interrupt every third question, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    pub(super) barge_in_share: f64,
    /// Whose voices speak, and in which proportion: `all`, or such as maya:2,leon:1.
    #[arg(long, value_name = "MIX", default_value = "all")]
    pub(super) persona_mix: String,
    /// So many participants decode what they hear into a wave file, and latencies are measured on it, too.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=20))]
    pub(super) sample: u32,
    /// Where these wave files are kept; without it they are removed when they have been measured.
    #[arg(long, value_name = "FOLDER")]
    pub(super) waves: Option<PathBuf>,
    /// Writes everything as JSON; a file that is there is overwritten.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Writes a report with plots that needs nothing else to be read; a file that is there is overwritten.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// The server to load, such as `https://interviews.example`. Without it one is started here, with the simulator as its
    /// provider. Interviews on a server with a real provider cost money.
    #[arg(long, requires = "token")]
    pub(super) url: Option<String>,
    /// The token of its console.
    #[arg(long, env = "COLLOQUY_CONSOLE_TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
    /// The study on it.
    #[arg(long, value_name = "ID", default_value = STUDY)]
    pub(super) study: String,
    /// What the simulator waits before the first audio of an answer; without it what the vendor usually takes.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "url")]
    pub(crate) model_delay: Option<Duration>,
    /// How many interviews the server that is started here takes at once; all others stand in line. Without it as many as come.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "url")]
    pub(crate) sessions_max: Option<u32>,
    /// Its process, if it runs on this machine: CPU and memory are read from /proc.
    #[arg(long, requires = "url")]
    pub(super) pid: Option<u32>,
}

impl Arguments {
    /// For the bench: the conversations of the defaults, without a sample.
    pub(crate) fn of(sessions: u32, ramp: Duration, duration: Duration, seed: u64) -> Arguments {
        Arguments {
            sessions,
            ramp,
            duration,
            seed,
            drop_share: 0.05,
            return_share: 0.8,
            barge_in_share: 0.2,
            persona_mix: "all".to_owned(),
            sample: 0,
            waves: None,
            json: None,
            html: None,
            url: None,
            token: None,
            study: STUDY.to_owned(),
            model_delay: None,
            sessions_max: None,
            pid: None,
        }
    }

    /// What is to be planned.
    pub(super) fn wanted(&self) -> anyhow::Result<Wanted> {
        let voices = Corpus::embedded().personas(LANGUAGE);
        let mix = Mix::read(&self.persona_mix, &voices)?;
        ensure!(
            self.duration >= Duration::from_secs(1),
            "--duration is {} ms: interviews that are held for less than a second say nothing; give at least 1s",
            self.duration.as_millis()
        );
        Ok(Wanted {
            sessions: self.sessions,
            ramp: self.ramp,
            duration: self.duration,
            seed: self.seed,
            drop_share: self.drop_share,
            return_share: self.return_share,
            barge_in_share: self.barge_in_share,
            mix,
            sample: self.sample,
        })
    }
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "a share is a number from 0 to 1, such as 0.2".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let parsed = UNITS.into_iter().find_map(|(unit, unit_ms)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(unit_ms)
    });
    match parsed {
        Some(length_ms) if length_ms <= 24 * 3_600_000 => Ok(Duration::from_millis(length_ms)),
        Some(_) => Err("at most a day (24h)".to_owned()),
        None => Err(
            "a whole number and its unit, such as 500ms, 90s, 10m or 1h; 1.5m is 90s".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_an_end() {
        let ms = |text| duration(text).map(|length| length.as_millis());
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("90s"), Ok(90_000));
        assert_eq!(ms("10m"), Ok(600_000));
        assert_eq!(ms("1h"), Ok(3_600_000));
        for wrong in ["", "10", "s", "-1s", "1.5m", "25h", "99999999999999999999s"] {
            assert!(ms(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_is_between_nothing_and_everybody() {
        assert_eq!(share("0.2"), Ok(0.2));
        for wrong in ["-0.1", "1.1", "20 %", "NaN"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
