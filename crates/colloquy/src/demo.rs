//! `colloquy demo`: everything on one machine, without a key and without an account.
//!
//! The simulator is started as a server of its own and the product is pointed at it by configuration; nothing in the
//! product knows the difference. The demo then uses the public API only, as a researcher and a participant would.

mod client;
mod summary;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use providers::Secret;
use server::config::Config;
use sim::participant::{Ears, Manners, PATIENCE, ParticipantConfig, run as take_part};
use sim::provider::SimConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::output;
use crate::serve::{runtime, start_log, stop_on_signal};
use client::Client;

/// The two studies of the demo; the first has rendered speech for every question.
const REMOTE_WORK_TOOLS: &str = include_str!("../../../studies/remote-work-tools.yaml");
pub(crate) const FIRST_JOB: &str = include_str!("../../../studies/first-job.yaml");

/// The interview of the demo takes about two minutes; after this something is wrong.
const INTERVIEW_DEADLINE: Duration = Duration::from_secs(8 * 60);
/// The report is there seconds after the end; after this something is wrong.
const REPORT_DEADLINE: Duration = Duration::from_secs(60);

/// Arguments of `demo`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Exit after the report: 0 only if the interview was completed and the report is there.
    #[arg(long)]
    once: bool,
    /// Send no synthetic participant: print the links and serve.
    #[arg(long, conflicts_with = "once")]
    serve_only: bool,
    /// Where database and recordings go.
    #[arg(long, default_value = "demo-data")]
    data: PathBuf,
    /// Whose voice answers: maya, marcus, tasha, leon, priya, nora, victor or owen.
    #[arg(long, default_value = "maya")]
    persona: String,
    /// Where pages and API are served; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    addr: SocketAddr,
    /// The port of the media, UDP and TCP; 0 takes any free one.
    #[arg(long, default_value_t = 8081)]
    media_port: u16,
}

/// Runs the demo.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(demo(arguments))
}

async fn demo(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signal()?;
    let simulator = TcpListener::bind("127.0.0.1:0")
        .await
        .context("the simulator cannot listen on loopback")?;
    let simulator_url = format!("http://{}/v1", simulator.local_addr()?);
    let simulator_stop = CancellationToken::new();
    let simulator = sim::provider::serve(simulator, SimConfig::default(), simulator_stop.clone());

    let config = configuration(arguments, simulator_url)?;
    start_log(&config)?;
    let running = server::boot::start(config).await?;
    let base = format!("http://{}", running.http_addr());
    let client = Client::new(&base, running.console_token())?;
    let result = interview(arguments, &client, &stop).await;
    match &result {
        Ok(code) if !arguments.once => {
            let _ = code;
            output::line("\nColloquy keeps serving; stop it with Ctrl-C.");
            stop.cancelled().await;
        }
        Ok(_) => {}
        Err(error) if !arguments.once => {
            output::problem(error);
            output::line(
                "\nThe interview did not complete, but Colloquy keeps serving so that you can look; stop it with Ctrl-C.",
            );
            stop.cancelled().await;
        }
        Err(_) => {}
    }
    running.stop().await;
    simulator_stop.cancel();
    simulator
        .await
        .context("the simulator panicked")?
        .context("the simulator failed")?;
    result
}

/// The server's defaults, with the simulator as provider and the demo's own folder.
fn configuration(arguments: &Arguments, simulator_url: String) -> anyhow::Result<Config> {
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let mut config = Config::load(None, &variables).map_err(|mistakes| {
        let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(
            "the environment configures something that does not exist: {}",
            all.join("; ")
        )
    })?;
    config.http.addr = arguments.addr;
    config.media.udp_addr.set_port(arguments.media_port);
    config.media.tcp_addr.set_port(arguments.media_port);
    config.store.database = arguments.data.join("colloquy.db");
    config.store.recordings = arguments.data.join("recordings");
    config.provider.openai_base_url = simulator_url;
    config.provider.openai_api_key = Secret::new("demo");
    if !variables.contains_key("COLLOQUY__LOG__LEVEL") {
        // The demo tells its own story; the log joins in when something is wrong.
        config.log.level = server::config::LogLevel::Warn;
    }
    Ok(config)
}

async fn interview(
    arguments: &Arguments,
    client: &Client,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    for study in [REMOTE_WORK_TOOLS, FIRST_JOB] {
        client.put_study(study).await?;
    }
    let yours = client.invite("remote-work-tools", "full").await?;
    let shorter = client.invite("first-job", "full").await?;
    let rehearsal = client.invite("remote-work-tools", "rehearsal").await?;
    output::line("\nColloquy is running, with the provider simulator as its speech model.\n");
    output::line(format!("  be a participant   {}", yours.link));
    output::line(format!("  a shorter study    {}", shorter.link));
    output::line(format!("  a two-minute try   {}", rehearsal.link));
    output::line(format!("  be the researcher  {}\n", client.console_link()));

    if arguments.serve_only {
        return Ok(ExitCode::SUCCESS);
    }
    let invitation = client.invite("remote-work-tools", "rehearsal").await?;
    output::line(format!(
        "A synthetic participant ({}) takes part now, over WebRTC, in a rehearsal of about two minutes:\n",
        arguments.persona
    ));
    let config = ParticipantConfig {
        link: invitation.link.clone(),
        persona: arguments.persona.clone(),
        start_after: Duration::ZERO,
        seed: 1,
        ears: Ears::Sound,
        manners: Manners::Patient,
        deadline: INTERVIEW_DEADLINE,
        local_ip: None,
        patience: PATIENCE,
    };
    let report = take_part(config, stop.child_token(), crate::participant::print)
        .await
        .context("the synthetic participant could not finish")?;
    output::line("\nThe interview is over; recording, transcript and coding follow...");
    let ready = tokio::time::timeout(REPORT_DEADLINE, client.report(&invitation.id, stop)).await;
    let Ok(outcome) = ready else {
        bail!(
            "no report after {} s: look at the session's journal in the console, and at the log above",
            REPORT_DEADLINE.as_secs()
        );
    };
    let (session, figures, waited) = outcome?;
    output::line("");
    for line in summary::lines(
        &session,
        &figures,
        &report,
        waited,
        &client.session_link(&invitation.id),
    ) {
        output::line(line);
    }
    if session.outcome.as_deref() == Some("complete") {
        Ok(ExitCode::SUCCESS)
    } else {
        bail!(
            "the interview ended as {}, not complete",
            session.outcome.as_deref().unwrap_or("nothing")
        );
    }
}
