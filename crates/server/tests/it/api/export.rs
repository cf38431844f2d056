//! Files of interviews and studies.

use reqwest::StatusCode;
use sim::provider::SimConfig;
use store::ReportState;

use super::{Api, problem};
use crate::finished::{ANSWERS, finish, until_report};
use crate::harness::house;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interview_and_its_study_can_be_had_in_every_format_and_a_mistake_is_explained() {
    let house = house(SimConfig::instant()).await;
    let ((first, _), (second, _)) = (house.invite().await, house.invite().await);
    for id in [&first, &second] {
        finish(house.app(), id, &ANSWERS, Vec::new()).await;
        until_report(house.app(), id, ReportState::Ready).await;
    }
    let api = Api::new(&house);
    for format in ["jsonl", "csv", "vtt", "srt", "txt", "docx"] {
        let path = format!("/api/v1/sessions/{first}/export?format={format}");
        let answer = api.console(&path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{format}");
        let disposition = answer.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            disposition.starts_with("attachment; filename=") && disposition.contains(format),
            "{disposition}"
        );
        assert!(!answer.bytes().await.unwrap().is_empty());
    }
    let lines = |table: &str| format!("/api/v1/studies/first-job/export?format=csv&table={table}");
    for (table, rows) in [("sessions", 2), ("turns", 12), ("codings", 6)] {
        let text = api.console(&lines(table)).await.text().await.unwrap();
        assert_eq!(text.matches("\r\n").count(), 1 + rows, "{table}: {text}");
    }
    let jsonl = api
        .console("/api/v1/studies/first-job/export?format=jsonl")
        .await;
    let jsonl = jsonl.text().await.unwrap();
    assert_eq!(jsonl.lines().count(), 2);
    assert!(jsonl.contains("bakery in Leipzig"), "{jsonl}");
    let zip = api
        .console("/api/v1/studies/first-job/export?format=zip")
        .await;
    assert_eq!(zip.headers()["content-type"], "application/zip");
    assert!(zip.bytes().await.unwrap().starts_with(b"PK"));
    for (path, status) in [
        (
            "/api/v1/studies/first-job/export?format=vtt",
            StatusCode::BAD_REQUEST,
        ),
        (
            "/api/v1/studies/first-job/export?format=csv&table=people",
            StatusCode::BAD_REQUEST,
        ),
        (
            "/api/v1/studies/nothing/export?format=csv",
            StatusCode::NOT_FOUND,
        ),
        (
            "/api/v1/sessions/nothing/export?format=txt",
            StatusCode::NOT_FOUND,
        ),
    ] {
        problem(api.console(path).await, status).await;
    }
    let unknown = api.get("/api/v1/studies/first-job/export?format=csv");
    assert_eq!(
        unknown.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    house.close().await;
}
