//! The participant's side of the public HTTP API: what the page calls, in the page's words.

use std::time::Duration;

use media::{FRAGMENT_TYPE, IceFragment};
use reqwest::header::{CONTENT_TYPE, HeaderMap, IF_MATCH, LOCATION};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::Deserialize;
use serde_json::json;

use super::{Completion, ParticipantError};

/// How long one request may take; the page gives up then, too.
const REQUEST_DEADLINE: Duration = Duration::from_secs(20);

/// How long an ICE restart may take before it is asked for again.
const RESTART_DEADLINE: Duration = Duration::from_secs(5);

/// The header of an offer and of its answer that carries the grant.
const GRANT: &str = "colloquy-grant";

/// A server, as one participant may use it.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    base: String,
    secret: String,
}

/// What the page is told of its session, as far as a synthetic participant cares.
#[derive(Debug, Deserialize)]
pub(super) struct Participation {
    pub(super) study: StudyView,
    pub(super) consent: String,
    pub(super) outcome: Option<String>,
    pub(super) completion: Option<Completion>,
}

/// The study as the page is told.
#[derive(Debug, Deserialize)]
pub(super) struct StudyView {
    pub(super) title: String,
    pub(super) language: String,
}

/// What an offer came to.
pub(super) enum Offered {
    Accepted(Accepted),
    /// All interview places are taken: to be offered again after [`ASK_AGAIN`], which keeps the place in line.
    InLine {
        /// 1 is next.
        position: u32,
    },
}

/// The answer to an offer.
pub(super) struct Accepted {
    pub(super) sdp: String,
    /// Where to restart and to hang up.
    pub(super) location: Option<String>,
    /// What to come back with.
    pub(super) grant: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    participation: Participation,
}

/// Between two offers of one who waits.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(5);

/// An RFC 9457 problem.
#[derive(Deserialize)]
struct Problem {
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    remedy: String,
    /// Of who is to wait in line.
    position: Option<u32>,
}

impl Api {
    /// The server and the secret of a link.
    pub(super) fn new(link: &str) -> Result<Api, ParticipantError> {
        let (page, secret) = link
            .split_once('#')
            .ok_or(ParticipantError::Link("there is no `#`"))?;
        let base = page.trim_end_matches('/').strip_suffix("/i");
        let base = base.ok_or(ParticipantError::Link("the path is not `/i`"))?;
        if secret.is_empty() {
            return Err(ParticipantError::Link("there is no secret"));
        }
        if reqwest::Url::parse(base).is_err() {
            return Err(ParticipantError::Link("the address is not a URL"));
        }
        let client = Client::builder()
            .timeout(REQUEST_DEADLINE)
            .no_proxy()
            .build();
        let client = client.map_err(|error| ParticipantError::Unreachable(error.to_string()))?;
        Ok(Api {
            client,
            base: base.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// Host and port, for finding the way there.
    pub(super) fn host(&self) -> Result<(String, u16), ParticipantError> {
        let url = reqwest::Url::parse(&self.base)
            .map_err(|_| ParticipantError::Link("the address is not a URL"))?;
        let host = url
            .host_str()
            .ok_or(ParticipantError::Link("the address has no host"))?;
        let port = url
            .port_or_known_default()
            .ok_or(ParticipantError::Link("the address has no port"))?;
        // A URL writes an IPv6 address in brackets; the resolver does not.
        Ok((host.trim_matches(['[', ']']).to_owned(), port))
    }

    /// The session of this link.
    pub(super) async fn read(&self) -> Result<Participation, ParticipantError> {
        let response = send(self.request(Method::GET, "/api/v1/participation")).await?;
        Ok(body::<Body>(response).await?.participation)
    }

    /// Gives consent.
    pub(super) async fn consent(&self) -> Result<(), ParticipantError> {
        let request = self.request(Method::POST, "/api/v1/participation/consent");
        send(request.json(&json!({"accepted": true}))).await?;
        Ok(())
    }

    /// Sends an SDP offer.
    pub(super) async fn offer(
        &self,
        sdp: String,
        grant: Option<&str>,
    ) -> Result<Offered, ParticipantError> {
        let mut request = self
            .request(Method::POST, "/api/v1/participation/peers")
            .header(CONTENT_TYPE, "application/sdp");
        if let Some(grant) = grant {
            request = request.header(GRANT, grant);
        }
        let response = request.body(sdp).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            let refusal = Refusal::read(response).await;
            let position = refusal.position.ok_or(refusal.error)?;
            return Ok(Offered::InLine { position });
        }
        let location = header(response.headers(), LOCATION.as_str());
        let grant = header(response.headers(), GRANT);
        let sdp = response.text().await.map_err(unreachable)?;
        Ok(Offered::Accepted(Accepted {
            sdp,
            location,
            grant,
        }))
    }

    /// Restarts ICE on a connection; gives the server's half.
    pub(super) async fn restart(
        &self,
        location: &str,
        fragment: &IceFragment,
    ) -> Result<IceFragment, ParticipantError> {
        let request = self
            .request(Method::PATCH, self.path_of(location))
            .header(CONTENT_TYPE, FRAGMENT_TYPE)
            .header(IF_MATCH, "*")
            .timeout(RESTART_DEADLINE);
        let response = send(request.body(fragment.to_string())).await?;
        let text = response.text().await.map_err(unreachable)?;
        IceFragment::parse(&text).map_err(|error| ParticipantError::Media(error.to_string()))
    }

    /// Closes the connection.
    pub(super) async fn hang_up(&self, location: &str) -> Result<(), ParticipantError> {
        send(self.request(Method::DELETE, self.path_of(location))).await?;
        Ok(())
    }

    /// Also a full URL is a legal Location.
    fn path_of<'a>(&self, location: &'a str) -> &'a str {
        location.strip_prefix(&self.base).unwrap_or(location)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.secret)
    }
}

async fn send(request: RequestBuilder) -> Result<Response, ParticipantError> {
    let response = request.send().await.map_err(unreachable)?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(Refusal::read(response).await.error)
}

/// What the server said instead of doing it.
struct Refusal {
    error: ParticipantError,
    /// In line, if there is one to wait in.
    position: Option<u32>,
}

impl Refusal {
    async fn read(response: Response) -> Refusal {
        let status = response.status().as_u16();
        let problem = response.json::<Problem>().await.ok();
        let position = problem.as_ref().and_then(|problem| problem.position);
        let detail = problem.map_or_else(
            || "without saying why".to_owned(),
            |it| format!("{}. {} {}", it.title, it.detail, it.remedy),
        );
        let error = ParticipantError::Refused { status, detail };
        Refusal { error, position }
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

async fn body<T: serde::de::DeserializeOwned>(response: Response) -> Result<T, ParticipantError> {
    response.json().await.map_err(unreachable)
}

fn unreachable(error: reqwest::Error) -> ParticipantError {
    // The URL holds no secret (that is in a header), but the cause is what helps.
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    ParticipantError::Unreachable(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_link_is_an_address_and_a_secret() {
        let api = Api::new("https://example.org:8443/research/i#abc").unwrap();
        assert_eq!(
            (api.base.as_str(), api.secret.as_str()),
            ("https://example.org:8443/research", "abc")
        );
        assert_eq!(api.host().unwrap(), ("example.org".to_owned(), 8443));
        assert_eq!(
            Api::new("http://[::1]/i#abc").unwrap().host().unwrap(),
            ("::1".to_owned(), 80)
        );
        for wrong in [
            "http://example.org/i",
            "http://example.org/i#",
            "http://example.org/#abc",
            "/i#abc",
        ] {
            assert!(
                matches!(Api::new(wrong), Err(ParticipantError::Link(_))),
                "{wrong}"
            );
        }
    }
}
