#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use super::Config;

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn check(file: &str, env: &[(&str, &str)], expected: &[(usize, &str, &str)]) {
    let mistakes =
        Config::load(Some(file), &variables(env)).expect_err("the configuration has mistakes");
    let found: Vec<_> = mistakes
        .iter()
        .map(|m| {
            (
                m.line,
                m.field.as_str(),
                m.message.as_str(),
                m.remedy.as_str(),
            )
        })
        .collect();
    for (line, field, remedy) in expected {
        assert!(
            found
                .iter()
                .any(|(l, f, _, r)| l == line && f == field && r.contains(remedy)),
            "no {line} {field} {remedy} in {found:#?}"
        );
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn the_defaults_are_complete_and_good() {
    let config = Config::load(None, &BTreeMap::new()).unwrap();
    assert_eq!(config.public_url(), "http://127.0.0.1:8080");
    assert_eq!(config.enrichment.batch_segments, 10);
}

#[test]
fn the_environment_goes_over_the_file_and_the_file_over_the_defaults() {
    let file = "[capacity]\nsessions_max = 7\n[http]\naddr = \"127.0.0.1:9000\"\n";
    let env = [
        ("COLLOQUY__HTTP__ADDR", "127.0.0.1:9001"),
        ("COLLOQUY__MEDIA__ADVERTISE_IPS", "[\"203.0.113.7\"]"),
        ("PATH", "/bin"),
    ];
    let config = Config::load(Some(file), &variables(&env)).unwrap();
    assert_eq!(
        (
            config.capacity.sessions_max,
            config.http.addr.port(),
            config.media.advertise_ips.len()
        ),
        (7, 9001, 1)
    );
}

#[test]
fn misspelt_keys_and_bad_units_are_named_with_their_line() {
    let file =
        "[http]\nadr = \"127.0.0.1:1\"\nrequest_timeout_ms = \"15s\"\n\n[medai]\nshards = 1\n";
    check(
        file,
        &[("COLLOQUY__HTTP__PORT", "1")],
        &[
            (2, "http.adr", "Did you mean `addr`?"),
            (3, "http.request_timeout_ms", "without a unit"),
            (5, "medai", "Did you mean `media`?"),
            (0, "COLLOQUY__HTTP__PORT", "COLLOQUY__SECTION__KEY"),
        ],
    );
    check(
        "[http\n",
        &[],
        &[(1, "configuration file", "Mend this line")],
    );
}

#[test]
fn an_address_that_no_browser_can_reach_is_refused() {
    check(
        "[media]\nudp_addr = \"0.0.0.0:8081\"\n",
        &[],
        &[(0, "media.advertise_ips", "under which participants reach")],
    );
    check(
        "[media]\nopus_complexity = 11\n",
        &[],
        &[(2, "media.opus_complexity", "default is 2")],
    );
}

#[test]
fn a_key_is_never_sent_to_another_endpoint_than_its_own() {
    let env = [
        ("COLLOQUY__PROVIDER__OPENAI_API_KEY", "sk-one"),
        ("COLLOQUY__ENRICHMENT__BASE_URL", "http://127.0.0.1:1/v1"),
    ];
    let config = Config::load(None, &variables(&env)).unwrap();
    assert_eq!(config.enrichment_endpoint().1.expose(), "");
    assert!(
        !format!("{config:?}").contains("sk-one"),
        "the debug text of the configuration shows a key"
    );
}
