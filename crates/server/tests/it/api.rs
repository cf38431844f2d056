//! The API over real HTTP: what the document promises, and a clear answer to every mistake.

mod console;
mod export;
mod general;
mod grant;
mod history;
mod jobs;
mod limits;
mod operations;
mod participant;
mod restart;
mod results;
mod series;

use std::net::IpAddr;

use engine::ids::SessionId;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use server::secrets;
use store::{Length, NewSession, NewStudy};

use crate::harness::House;

/// A caller of the API.
pub(super) struct Api {
    base: String,
    client: reqwest::Client,
    token: String,
}

impl Api {
    pub(super) fn new(house: &House) -> Api {
        Api::from(house, IpAddr::from([127, 0, 0, 1]))
    }

    /// From another address of this machine.
    pub(super) fn from(house: &House, address: IpAddr) -> Api {
        let client = reqwest::Client::builder()
            .no_proxy()
            .local_address(address)
            .redirect(reqwest::redirect::Policy::none());
        Api {
            base: format!("http://{}", house.running.http_addr()),
            client: client.build().unwrap(),
            token: house.running.console_token().to_owned(),
        }
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// With the console token.
    pub(super) async fn console(&self, path: &str) -> Response {
        let request = self.get(path).bearer_auth(&self.token);
        request.send().await.unwrap()
    }

    pub(super) async fn console_post(&self, path: &str, body: &Value) -> Response {
        let request = self.post(path).bearer_auth(&self.token);
        request.json(body).send().await.unwrap()
    }

    pub(super) async fn document(&self) -> Value {
        body(self.get("/api/v1/openapi.json").send().await.unwrap()).await
    }
}

pub(super) async fn body(response: Response) -> Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A mistake's answer: one shape, and something to do about it.
pub(super) async fn problem(response: Response, status: StatusCode) -> Value {
    let what = response.url().path().to_owned();
    assert_eq!(response.status(), status, "{what}");
    let kind = response.headers().get("content-type").cloned();
    let text = response.text().await.unwrap();
    assert_eq!(
        kind.as_ref().unwrap(),
        "application/problem+json",
        "{what}: {text}"
    );
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], status.as_u16(), "{what}: {problem}");
    for field in ["type", "title", "detail", "remedy"] {
        let text = problem[field].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{what} has no {field}: {problem}");
    }
    assert!(
        problem["type"].as_str().unwrap().starts_with("/problems/"),
        "{problem}"
    );
    problem
}

/// Checks a body against the document's schema for this operation and status.
pub(super) fn documented(document: &Value, method: &str, path: &str, status: &str, body: &Value) {
    let content = &document["paths"][path][method]["responses"][status]["content"];
    let schema = &content["application/json"]["schema"];
    assert!(schema.is_object(), "{method} {path} {status} has no schema");
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mistakes: Vec<String> = validator
        .iter_errors(body)
        .map(|error| error.to_string())
        .collect();
    assert!(
        mistakes.is_empty(),
        "{method} {path}: {mistakes:#?}\n{body}"
    );
}

/// An invitation whose participant has decided nothing yet, and the link's secret.
pub(super) async fn invited(house: &House, expires_at_us: Option<i64>) -> (SessionId, String) {
    let store = &house.app().store;
    let source = include_str!("../../../../studies/first-job.yaml");
    let study = server::study::parse(source).unwrap();
    let new = NewStudy {
        study_id: study.id.clone(),
        title: study.title.clone(),
        source: source.to_owned(),
    };
    let row = store.put_study(new).await.unwrap();
    let secret = secrets::mint().unwrap();
    let session_id = SessionId::from(format!("S{}", secret.get(..20).unwrap()));
    let session = NewSession {
        session_id: session_id.clone(),
        study_id: study.id,
        study_version: row.version,
        link_hash: secrets::hash(&secret),
        language: "en".to_owned(),
        length: Length::Rehearsal,
        external_id: None,
        expires_at_us,
    };
    store.create_sessions(vec![session]).await.unwrap();
    (session_id, secret)
}
