//! What is exported to Prometheus has a fixed set of names and labels, whatever people choose to call things.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use server::metrics::{DROPPED, WRITES};
use sim::provider::SimConfig;

use super::{Api, invited};
use crate::harness::{Caller, House, house_with};

/// Of each kind of name.
const NAMES: usize = 300;
const STUDY: &str = include_str!("../../../../../studies/first-job.yaml");

/// Names with labels of a scrape, without values.
pub(super) fn series(metrics: &str) -> BTreeSet<String> {
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    let name = |line: &str| line.rsplit_once(' ').map(|(name, _)| name.to_owned());
    let series: BTreeSet<String> = samples.filter_map(name).collect();
    assert!(series.len() > 100, "{metrics}");
    series
}

async fn scrape(api: &Api) -> String {
    let answer = api.get("/metrics").send().await.unwrap();
    answer.text().await.unwrap()
}

/// The sum of a counter over its labels.
fn sum(metrics: &str, name: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    lines
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum()
}

/// A study whose own id and those of its phases and topics nobody else has.
fn study(number: usize) -> String {
    let own = [
        ("id: first-job", "id: odd"),
        ("id: warmup", "id: odd-warmup"),
        ("id: story", "id: odd-story"),
        ("[story]", "[odd-story]"),
        ("id: job", "id: odd-job"),
    ];
    let mut source = STUDY.to_owned();
    for (old, new) in own {
        let new = match new.strip_suffix(']') {
            Some(open) => format!("{open}-{number}]"),
            None => format!("{new}-{number}"),
        };
        source = source.replacen(old, &new, 1);
    }
    source
}

/// What pages and strangers send with names of their own.
fn from_outside(api: &Api, secret: &str, number: usize) -> Vec<RequestBuilder> {
    let name = format!("odd-{number}-%22%7D%0A");
    let method = Method::from_bytes(format!("ODD{number}").as_bytes()).unwrap();
    let participation = "/api/v1/participation";
    let bearing = |request: RequestBuilder| request.bearer_auth(secret);
    let asks = format!("{participation}/requests");
    let peers = format!("{participation}/peers");
    vec![
        api.get(&format!("/{name}")),
        api.get(&format!("/api/v1/{name}")),
        api.get(&format!("/runbook/{name}")),
        api.request(method.clone(), participation),
        api.request(method, "/metrics"),
        api.get("/healthz").header("user-agent", &name),
        api.get(participation).bearer_auth(&name),
        bearing(api.get(participation))
            .header("user-agent", &name)
            .header("x-forwarded-for", &name)
            .header("origin", format!("https://odd-{number}.example")),
        bearing(api.post(&asks)).json(&json!({ "request": name, "reason": name })),
        bearing(api.post(&peers))
            .header("content-type", "application/sdp")
            .header("colloquy-grant", format!("{number:A>43}"))
            .body(super::participant::good_offer()),
        bearing(api.post(&peers))
            .header("content-type", "application/sdp")
            .body(format!("v=0\r\ns={name}\r\n")),
        bearing(api.request(Method::PATCH, &format!("{peers}/{number}"))).body(name),
    ]
}

/// What researchers and their programs send with names of their own.
fn from_the_console(api: &Api, number: usize) -> Vec<RequestBuilder> {
    let name = format!("odd-{number}-%22%7D%0A");
    let unknown = STUDY.replacen(
        "order: [gpt",
        &format!("order: [odd-profile-{number}, gpt"),
        1,
    );
    let yaml = |source: String| {
        let post = api.post("/api/v1/studies").body(source);
        post.header("content-type", "text/yaml")
    };
    let requests = vec![
        yaml(study(number)),
        yaml(unknown),
        api.get(&format!("/api/v1/studies/{name}")),
        api.get(&format!("/api/v1/studies/{name}/grid")),
        api.get(&format!("/api/v1/sessions/{name}/report")),
        api.get(&format!("/api/v1/sessions?study_id={name}")),
        api.get(&format!("/api/v1/sessions?state={name}")),
        api.get(&format!("/api/v1/jobs?lane={name}")),
        api.post(&format!("/api/v1/sessions/{name}/end")),
    ];
    let token = |request: RequestBuilder| request.bearer_auth(&api.token);
    requests.into_iter().map(token).collect()
}

/// An interview of a study with names of its own, by a provider profile with one, with a page that says odd things.
async fn interview(house: &House, number: usize) {
    let (id, _) = house.invite_to(&study(number)).await;
    let store = &house.app().store;
    store.record_consent(&id, true, [0; 32]).await.unwrap();
    let mut start = house.start_of(&id).await;
    start.profile.id = format!("odd-profile-{number}");
    let mut caller = Caller::join_as(house, start).await.unwrap();
    caller.until_type("caption").await;
    for what in 0..NAMES {
        let odd = json!({ "type": format!("odd-{what}"), "phase": format!("odd-{what}") });
        caller.say(&odd.to_string()).await;
    }
    // So many texts within a second are not all looked at, and the word that ends it might not be.
    house.app().registry.end(&id).await.unwrap();
    caller.until_type("ended").await;
    house.ended(&id).await;
    house.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_people_choose_make_no_new_series() {
    let house = house_with(SimConfig::instant(), |config| {
        // What is refused for its number is not looked at any further.
        config.http.requests_burst = 100_000;
    })
    .await;
    let api = Api::new(&house);
    let (id, secret) = invited(&house, None).await;
    let store = &house.app().store;
    store.record_consent(&id, true, [0; 32]).await.unwrap();
    let before = scrape(&api).await;
    for number in 0..NAMES {
        let mut requests = from_outside(&api, &secret, number);
        requests.extend(from_the_console(&api, number));
        for answer in join_all(requests.into_iter().map(RequestBuilder::send)).await {
            let answer = answer.unwrap();
            let (status, url) = (answer.status(), answer.url().path());
            assert_ne!(status, StatusCode::TOO_MANY_REQUESTS, "{url}");
            assert!(!status.is_server_error(), "{status} for {url}");
        }
    }
    let studies = store.studies().await.unwrap();
    assert!(
        studies.len() > NAMES,
        "{} studies were taken",
        studies.len()
    );
    interview(&house, 0).await;
    let after = scrape(&api).await;
    // Series by series: what is there too much stands in the message.
    let (old, new) = (series(&before), series(&after));
    let more: Vec<&String> = new.symmetric_difference(&old).collect();
    assert_eq!(more, [""; 0]);
    assert!(!after.contains("odd"), "{after}");
    // What was sent got as far as to where it is counted.
    for counter in ["colloquy_grants_refused_total", "colloquy_refused_total"] {
        let counted = sum(&after, counter) - sum(&before, counter);
        assert!(counted >= NAMES as u64, "{counter}: {counted}");
    }
    house.close().await;
}

/// All files with code of this crate.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let files = entries.flat_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path)
        } else {
            vec![path]
        }
    });
    files.collect()
}

/// A kind that is counted and not listed would appear only once something is dropped: a rate over it misses the first.
#[test]
fn every_kind_of_what_is_dropped_is_exported_before_it_happens() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut used = BTreeSet::new();
    for path in sources(&folder) {
        let text = fs::read_to_string(path).unwrap();
        for start in ["dropped(\"", "(\"kind\", \""] {
            let kinds = text.split(start).skip(1);
            used.extend(kinds.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
    assert!(used.len() > 8, "{used:?}");
    let known =
        |kind: &&String| DROPPED.contains(&kind.as_str()) || WRITES.contains(&kind.as_str());
    let unknown: Vec<&String> = used.iter().filter(|kind| !known(kind)).collect();
    assert_eq!(unknown, [""; 0]);
}
