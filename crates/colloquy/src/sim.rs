//! `colloquy sim`.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use sim::provider::{SimConfig, serve};
use tokio::net::TcpListener;

use crate::output;
use crate::serve::{runtime, stop_on_signal};

/// Arguments of `sim`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
}

/// Serves the simulator until it is stopped.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let stop = stop_on_signal()?;
        let listener = TcpListener::bind(arguments.listen).await.with_context(|| {
            format!(
                "cannot listen on {}: another program uses this port; choose another with --listen",
                arguments.listen
            )
        })?;
        output::line(format!(
            "simulator: COLLOQUY__PROVIDER__OPENAI_BASE_URL=http://{}/v1 with any key",
            listener.local_addr()?
        ));
        serve(listener, SimConfig::default(), stop)
            .await
            .context("the simulator panicked")??;
        Ok(ExitCode::SUCCESS)
    })
}
