//! `colloquy check`: everything that can be known before starting.

use std::process::ExitCode;

use anyhow::Context;
use providers::{PriceBook, Profiles};

use crate::output;
use crate::serve::{ConfigArguments, config};

/// Validates configuration, profiles, prices and studies, and prints what browsers will be told.
pub(crate) fn run(arguments: &ConfigArguments) -> anyhow::Result<ExitCode> {
    let config = config(arguments)?;
    let profiles_text = optional_file(&config.provider.profiles_file)?;
    let profiles =
        Profiles::with(profiles_text.as_deref()).context("the profiles file is wrong")?;
    let prices_text = optional_file(&config.provider.prices_file)?;
    let prices = PriceBook::with(prices_text.as_deref()).context("the prices file is wrong")?;
    let Some(profile) = profiles.get(&config.provider.default_profile) else {
        let known: Vec<&str> = profiles.iter().map(|profile| profile.id.as_str()).collect();
        anyhow::bail!(
            "provider.default_profile names `{}`, which is not a profile. Use one of: {}",
            config.provider.default_profile,
            known.join(", ")
        );
    };
    prices
        .prices_for(profile, &server::app::today())
        .context("the default profile has no prices")?;
    output::line(format!("links begin with   {}", config.public_url()));
    for (protocol, addr) in [
        ("udp", config.media.udp_addr),
        ("tcp", config.media.tcp_addr),
    ] {
        let ips = if config.media.advertise_ips.is_empty() {
            vec![addr.ip()]
        } else {
            config.media.advertise_ips.clone()
        };
        for ip in ips {
            output::line(format!("browsers send {protocol} to {ip}:{}", addr.port()));
        }
    }
    output::line(format!(
        "interviews run on  {} ({})",
        profile.id, profile.model
    ));
    output::line(format!(
        "coding runs on     {} at {}",
        config.enrichment.model,
        config.enrichment_endpoint().0
    ));
    let mistakes = crate::study::check_folder(&config.studies.folder)?;
    if mistakes > 0 {
        anyhow::bail!("{mistakes} mistake(s) in study files, listed above");
    }
    output::line("configuration is good");
    Ok(ExitCode::SUCCESS)
}

fn optional_file(path: &std::path::Path) -> anyhow::Result<Option<String>> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    std::fs::read_to_string(path).map(Some).with_context(|| {
        format!(
            "{} cannot be read: check the path and its permissions",
            path.display()
        )
    })
}
