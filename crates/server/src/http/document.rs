//! The OpenAPI document, from the code: routes say what is theirs, this adds what is everybody's.

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Spec, Ref, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

/// The document without its paths, which the routes add.
#[derive(OpenApi)]
#[openapi(
    info(title = "Colloquy", description = "Voice interviews for research."),
    modifiers(&Schemes),
    tags(
        (name = "participation", description = "What a participant's page does, with the link's secret as bearer token."),
        (name = "studies", description = "Protocols, with the console token."),
        (name = "sessions", description = "Interviews and what came of them, with the console token."),
        (name = "jobs", description = "The work after an interview and its dead letters, with the console token."),
    )
)]
pub(super) struct Document;

const CONSOLE_TOKEN: &str = "console_token";
const LINK_SECRET: &str = "link_secret";

/// Names both kinds of bearer tokens.
struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut Spec) {
        let components = document.components.get_or_insert_with(Default::default);
        for name in [CONSOLE_TOKEN, LINK_SECRET] {
            let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
            components.add_security_scheme(name, scheme);
        }
    }
}

/// The document of these routes as JSON.
///
/// # Panics
/// Never: the document is made of plain data.
pub(super) fn json<S: Clone + Send + Sync + 'static>(routes: OpenApiRouter<S>) -> String {
    let (_, mut document) = routes.split_for_parts();
    for path in document.paths.paths.values_mut() {
        let operations = [
            &mut path.get,
            &mut path.post,
            &mut path.put,
            &mut path.patch,
            &mut path.delete,
        ];
        operations.into_iter().flatten().for_each(complete);
    }
    let mut text = document
        .to_pretty_json()
        .expect("the document is plain data");
    text.push('\n');
    text
}

/// What any operation may answer: a wrong token, or too many requests from one address.
fn complete(operation: &mut Operation) {
    let wants = |scheme: &str| {
        let wanted = SecurityRequirement::new(scheme, Vec::<String>::new());
        operation
            .security
            .as_ref()
            .is_some_and(|needs| needs.contains(&wanted))
    };
    let wrong_token = match (wants(CONSOLE_TOKEN), wants(LINK_SECRET)) {
        (true, _) => Some(("401", "The console token is missing or wrong")),
        (_, true) => Some(("404", "The link is not known")),
        _ => None,
    };
    let responses = &mut operation.responses.responses;
    for (status, description) in wrong_token
        .into_iter()
        .chain([("429", "Too many requests from one address")])
    {
        responses
            .entry(status.to_owned())
            .or_insert_with(|| problem(description).into());
    }
}

fn problem(description: &str) -> Response {
    let body = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", body)
        .build()
}
