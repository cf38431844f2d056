//! Profiles and prices: the files that come with Colloquy, and an operator's over them.

use std::time::Duration;

use engine::cost::{Component, Prices, Usage};
use expect_test::{Expect, expect};
use providers::{PriceBook, Profiles};

const DAY: &str = "2026-11-23";

fn per_million(prices: &Prices, component: Component) -> i64 {
    prices.charge(&Usage::none().with(component, 1_000_000))[0]
        .cost
        .0
}

#[test]
fn the_built_in_profiles_are_complete_and_priced() {
    let profiles = Profiles::built_in();
    let ids: Vec<&str> = profiles.iter().map(|profile| profile.id.as_str()).collect();
    assert_eq!(
        ids,
        ["gpt-realtime-2.1", "gpt-realtime-2.1-mini", "simulator"]
    );
    for profile in profiles.iter() {
        let prices = PriceBook::built_in().prices_for(profile, DAY).unwrap();
        assert!(
            per_million(&prices, Component::AudioOut) > 0,
            "{}",
            profile.id
        );
        assert!(
            per_million(&prices, Component::TranscriptionMs) > 0,
            "{}",
            profile.id
        );
        assert_eq!(profile.session_max, Duration::from_secs(3_600));
    }
}

/// Same voices, limits, capabilities and model, so that a demo shows what the vendor would do and cost.
#[test]
fn the_simulator_differs_from_the_vendor_in_name_and_address_only() {
    let profiles = Profiles::built_in();
    let vendor = profiles.get("gpt-realtime-2.1").unwrap();
    let mut simulator = profiles.get("simulator").unwrap().clone();
    assert_eq!(simulator.base_url, None);
    simulator.id.clone_from(&vendor.id);
    simulator.vendor.clone_from(&vendor.vendor);
    simulator.base_url.clone_from(&vendor.base_url);
    assert_eq!(simulator, *vendor);
}

#[test]
fn an_operators_file_changes_only_the_keys_that_it_sets_and_what_follows_from_them() {
    let file =
        "[profile.\"gpt-realtime-2.1\"]\ndefault_voice = \"cedar\"\nsession_max_minutes = 30\n";
    let profiles = Profiles::with(Some(file)).unwrap();
    let built_in = Profiles::built_in();
    let mut expected = built_in.get("gpt-realtime-2.1").unwrap().clone();
    expected.default_voice = "cedar".to_owned();
    expected.session_max = Duration::from_secs(30 * 60);
    expected.capabilities.link_max = Some(expected.session_max);
    assert_eq!(profiles.get("gpt-realtime-2.1"), Some(&expected));
    assert_eq!(profiles.get("simulator"), built_in.get("simulator"));
}

fn profile_error(file: &str, expect: &Expect) {
    expect.assert_eq(&Profiles::with(Some(file)).unwrap_err().to_string());
}

#[test]
fn a_mistake_in_a_profile_is_named_with_its_remedy() {
    profile_error(
        "[profile.simulator]\nvoicess = [\"marin\"]\n",
        &expect![[r#"
        TOML parse error at line 2, column 1
          |
        2 | voicess = ["marin"]
          | ^^^^^^^
        unknown field `voicess`, expected one of `vendor`, `dialect`, `model`, `base_url`, `transcription_model`, `default_voice`, `voices`, `input_rate_hz`, `output_rate_hz`, `session_max_minutes`, `max_output_tokens`, `turn_events`, `truncation`, `replace_instructions`, `token_usage`
    "#]],
    );
    profile_error(
        "[profile.simulator]\nvoices = \"marin\"\n",
        &expect![[r#"
        TOML parse error at line 2, column 10
          |
        2 | voices = "marin"
          |          ^^^^^^^
        invalid type: string "marin", expected a sequence
    "#]],
    );
    profile_error(
        "[profiles.simulator]\n",
        &expect![[r#"
        TOML parse error at line 1, column 2
          |
        1 | [profiles.simulator]
          |  ^^^^^^^^
        unknown field `profiles`, expected `profile`
    "#]],
    );
    profile_error(
        "[profile.mine]\nvendor = \"Me\"\nsession_max_minutes = 5\n",
        &expect![[
            r#"profile `mine` has no `dialect`: add `dialect = ...` under [profile."mine"]"#
        ]],
    );
    profile_error(
        "[profile.simulator]\ndefault_voice = \"hal\"\n",
        &expect![
            "profile `simulator`: `default_voice` is `hal`, which is none of its voices: marin, cedar, alloy, ash, ballad, coral, echo, sage, shimmer, verse"
        ],
    );
    profile_error(
        "[profile.simulator]\ninput_rate_hz = 16000\n",
        &expect!["profile `simulator`: `input_rate_hz` is 16000: this dialect speaks 24000 only"],
    );
    profile_error(
        "[profile.simulator]\nturn_events = false\n",
        &expect![
            "profile `simulator`: `turn_events` is false: this dialect's vendor decides when a turn ends"
        ],
    );
}

#[test]
fn prices_follow_their_date_and_the_operators_rows_go_first() {
    let row = |from: &str, rate: i64| {
        format!(
            "[[price]]\nmodels = [\"gpt-realtime-2.1\"]\nfrom = \"{from}\"\nsource = \"contract\"\nchecked = \"2026-12\"\n\
             micro_usd_per_million = {{ audio_out = {rate} }}\n"
        )
    };
    let book = PriceBook::with(Some(
        &(row("2026-12-01", 50_000_000) + &row("2027-02-01", 40_000_000)),
    ))
    .unwrap();
    let out = |date: &str| {
        per_million(
            &book.prices("gpt-realtime-2.1", date).unwrap(),
            Component::AudioOut,
        )
    };
    assert_eq!(out("2026-12-01"), 50_000_000, "from its first day");
    assert_eq!(out("2027-01-31"), 50_000_000);
    assert_eq!(out("2027-02-01"), 40_000_000);
    assert_eq!(out("2026-11-30"), 64_000_000, "before it ours counts");
    let text = per_million(
        &book.prices("gpt-realtime-2.1", "2027-02-01").unwrap(),
        Component::TextIn,
    );
    assert_eq!(text, 4_000_000, "what a row leaves out stays");
}

#[test]
fn a_clock_that_is_years_behind_does_not_make_interviews_free() {
    let prices = PriceBook::built_in()
        .prices("gpt-realtime-2.1", "1970-01-01")
        .unwrap();
    assert_eq!(per_million(&prices, Component::AudioOut), 64_000_000);
}

#[test]
fn models_that_work_together_are_priced_together() {
    let book = PriceBook::built_in();
    let prices = book
        .prices_of(
            &["gpt-realtime-2.1-mini", "gpt-transcribe", "gpt-6-luna"],
            DAY,
        )
        .unwrap();
    let price = |component| per_million(&prices, component);
    assert_eq!(price(Component::AudioIn), 10_000_000);
    assert_eq!(price(Component::AudioCached), 300_000);
    assert_eq!(price(Component::TranscriptionMs), 75_000);
    assert_eq!(price(Component::EnrichmentIn), 100_000);
    assert_eq!(price(Component::EnrichmentCached), 10_000);
    assert_eq!(price(Component::EnrichmentOut), 500_000);
    assert_eq!(price(Component::ConnectionMs), 0);
}

#[test]
fn a_mistake_in_prices_is_named_with_its_remedy() {
    let check = |file: &str, expect: Expect| {
        expect.assert_eq(&PriceBook::with(Some(file)).unwrap_err().to_string());
    };
    let row = "[[price]]\nmodels = [\"m\"]\nfrom = \"2026-12-01\"\nsource = \"s\"\nchecked = \"2026-12\"\n";
    check(
        &format!("{row}micro_usd_per_million = {{ audio_outt = 1 }}\n"),
        expect![
            "price of `m`: there is no component `audio_outt`; components are text_in, text_cached, audio_in, audio_cached, text_out, audio_out, transcription_ms, transcription_in, transcription_out, connection_ms, enrichment_in, enrichment_cached, enrichment_out"
        ],
    );
    check(
        &format!("{row}micro_usd_per_million = {{ audio_out = 1.5 }}\n"),
        expect![[r#"
            TOML parse error at line 6, column 39
              |
            6 | micro_usd_per_million = { audio_out = 1.5 }
              |                                       ^^^
            invalid type: floating point `1.5`, expected i64
        "#]],
    );
    check(
        &format!("{row}micro_usd_per_million = {{ audio_out = -1 }}\n"),
        expect!["price of `m`: a price is negative"],
    );
    check(
        &format!(
            "{}micro_usd_per_million = {{}}\n",
            row.replace("2026-12-01", "December")
        ),
        expect!["price of `m`: `from` is no date: write YYYY-MM-DD"],
    );
    let unknown = PriceBook::built_in().prices("gpt-9", DAY).unwrap_err();
    expect![
        "no price is known for model `gpt-9`: add a [[price]] with it to the operator's price file"
    ]
    .assert_eq(&unknown.to_string());
}
