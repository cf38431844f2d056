//! The binary: subcommands, nothing else.

mod bench;
mod calm;
mod chaos;
mod check;
mod demo;
mod enrich;
mod export;
mod house;
mod load;
mod output;
mod participant;
mod serve;
mod sim;
mod soak;
mod study;
mod synth;
mod voices;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Voice interviews for research: a study file in, coded transcripts out.
#[derive(Parser)]
#[command(version, about, long_about = None)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve pages, API and interviews.
    Serve(serve::Arguments),
    /// Validate configuration without starting, and print what browsers will be told.
    Check(serve::ConfigArguments),
    /// Work with study files.
    Study(study::Arguments),
    /// Serve the provider simulator: OpenAI Realtime, models, chat completions, transcriptions.
    Sim(sim::Arguments),
    /// Send a synthetic participant through an interview.
    Participant(participant::Arguments),
    /// List rendered speech, or write it as WAV for a fake microphone.
    Voices(voices::Arguments),
    /// Start everything with the simulator, run one whole interview, and print what came out.
    Demo(demo::Arguments),
    /// Measure latency, cost per session and throughput, and write the figures as JSON.
    Bench(bench::Arguments),
    /// Send many synthetic participants at once, and compare what they heard with what the server exports.
    Load(load::Arguments),
    /// Let interviews come and go for a while, and look at what they leave behind.
    Soak(soak::Arguments),
    /// Write an interview, or all of a study, as files that other programs read.
    Export(export::Arguments),
    /// Measure how coding in batches does.
    Enrich(enrich::Arguments),
    /// Write finished interviews without audio, to try what comes after an interview.
    Synth(synth::Arguments),
    /// Break networks, pages, providers and the server under interviews that run, and check that none was lost.
    Chaos(chaos::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Study(arguments) => study::run(arguments),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Participant(arguments) => participant::run(arguments),
        Command::Voices(arguments) => voices::run(arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Load(arguments) => load::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Enrich(arguments) => enrich::run(&arguments),
        Command::Synth(arguments) => synth::run(&arguments),
        Command::Chaos(arguments) => chaos::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            output::problem(&error);
            ExitCode::FAILURE
        }
    }
}
