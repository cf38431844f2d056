//! What we ask.

use serde_json::{Map, Value, json};

use crate::codec::Endpoint;
use crate::secret::Secret;

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The vendor's id of the model.
    pub model: String,
    /// Instructions and material, in order.
    pub messages: Vec<Message>,
    /// The form of the answer; none for free text.
    pub schema: Option<Schema>,
    /// Tokens of the answer at most, thinking included.
    pub max_output_tokens: u32,
    /// Calls that share a beginning share this, so that the vendor's cache finds it. Sent to vendors that know it.
    pub cache_key: Option<String>,
    /// What this server wants differently.
    pub quirks: Quirks,
}

/// A message of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Message {
    /// An instruction.
    #[must_use]
    pub fn system(content: impl Into<String>) -> Message {
        Message {
            role: Role::System,
            content: content.into(),
        }
    }

    /// Material or a question.
    #[must_use]
    pub fn user(content: impl Into<String>) -> Message {
        Message {
            role: Role::User,
            content: content.into(),
        }
    }

    /// An earlier answer of the model.
    #[must_use]
    pub fn assistant(content: impl Into<String>) -> Message {
        Message {
            role: Role::Assistant,
            content: content.into(),
        }
    }
}

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Us, instructing.
    System,
    /// Us, asking.
    User,
    /// The model.
    Assistant,
}

/// The form of an answer, as JSON Schema. For strict output every property is required, every object closed, and the root
/// is an object; [`Schema::strict_problem`] finds what is not.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Its name, `[a-zA-Z0-9_-]+`.
    pub name: String,
    /// The schema.
    pub schema: Value,
}

/// How servers that claim the same API differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// What the limit of the answer is called.
    pub token_limit: TokenLimit,
    /// How the form of the answer is asked for.
    pub structured: Structured,
    /// `none`, `low` and so on for models that think; none to leave it out.
    pub reasoning_effort: Option<String>,
    /// Whether the vendor knows `prompt_cache_key` and `store`.
    pub vendor_fields: VendorFields,
}

/// What the limit of the answer is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenLimit {
    /// `max_completion_tokens`: OpenAI from gpt-5 on, which refuse the other.
    MaxCompletionTokens,
    /// `max_tokens`: local servers and older models.
    MaxTokens,
}

/// How the form of the answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structured {
    /// `response_format: json_schema`: OpenAI, vLLM, llama.cpp, Ollama.
    JsonSchema,
    /// `structured_outputs: {json}`: vLLM from 0.12 on, where a chat template gets in the way of the other.
    StructuredOutputs,
    /// `response_format: json_object`: servers that know no schema. The caller says the form in its instructions.
    JsonObject,
}

/// Whether fields that only OpenAI knows are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VendorFields {
    /// `prompt_cache_key`, and `store: false` so that the vendor keeps nothing.
    Send,
    /// Left out: some servers refuse what they do not know.
    Omit,
}

impl Quirks {
    /// OpenAI as of 2026-11.
    #[must_use]
    pub fn openai() -> Quirks {
        Quirks {
            token_limit: TokenLimit::MaxCompletionTokens,
            structured: Structured::JsonSchema,
            reasoning_effort: Some("none".to_owned()),
            vendor_fields: VendorFields::Send,
        }
    }

    /// Gives up what an endpoint refuses by name, and says whether anything was: then the same call is worth another try.
    /// Servers that speak the protocol differ in these names only, and say so in the words of their refusal (OpenAI:
    /// `unsupported_parameter`; vLLM and proxies: "extra fields not permitted", with the field).
    #[must_use]
    pub fn learn(&mut self, refusal: &str) -> bool {
        let names = |name: &str| {
            refusal
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .any(|word| word == name)
        };
        let lower = refusal.to_lowercase();
        let unknown = [
            "support",
            "unknown",
            "unrecognized",
            "permitted",
            "unexpected",
            "extra",
        ];
        if !unknown.iter().any(|word| lower.contains(word)) {
            return false;
        }
        if self.reasoning_effort.is_some() && names("reasoning_effort") {
            self.reasoning_effort = None;
        } else if self.vendor_fields == VendorFields::Send
            && (names("prompt_cache_key") || names("store"))
        {
            self.vendor_fields = VendorFields::Omit;
        } else if self.token_limit == TokenLimit::MaxTokens && names("max_tokens") {
            self.token_limit = TokenLimit::MaxCompletionTokens;
        } else if self.token_limit == TokenLimit::MaxCompletionTokens
            && names("max_completion_tokens")
            && !names("max_tokens")
        {
            self.token_limit = TokenLimit::MaxTokens;
        } else {
            return false;
        }
        true
    }

    /// vLLM, llama.cpp, Ollama.
    #[must_use]
    pub fn local() -> Quirks {
        Quirks {
            token_limit: TokenLimit::MaxTokens,
            structured: Structured::JsonSchema,
            reasoning_effort: None,
            vendor_fields: VendorFields::Omit,
        }
    }
}

/// Where to post a call. `base_url` is the root of the API, such as `https://api.openai.com/v1`. `Authorization` is sent
/// only if there is a key.
#[must_use]
pub fn endpoint(base_url: &str, key: Option<&Secret>) -> Endpoint {
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if let Some(key) = key {
        headers.push((
            "authorization".to_owned(),
            format!("Bearer {}", key.expose()),
        ));
    }
    Endpoint {
        url: format!("{}/chat/completions", base_url.trim_end_matches('/')),
        headers,
    }
}

impl Request {
    /// The body to post.
    #[must_use]
    pub fn body(&self) -> String {
        let mut body = Map::new();
        body.insert("model".to_owned(), json!(self.model));
        body.insert(
            "messages".to_owned(),
            self.messages.iter().map(message).collect(),
        );
        if let Some(schema) = &self.schema {
            let (key, value) = self.quirks.structured.field(schema);
            body.insert(key.to_owned(), value);
        }
        let limit = match self.quirks.token_limit {
            TokenLimit::MaxCompletionTokens => "max_completion_tokens",
            TokenLimit::MaxTokens => "max_tokens",
        };
        body.insert(limit.to_owned(), json!(self.max_output_tokens));
        if let Some(effort) = &self.quirks.reasoning_effort {
            body.insert("reasoning_effort".to_owned(), json!(effort));
        }
        if self.quirks.vendor_fields == VendorFields::Send {
            if let Some(cache_key) = &self.cache_key {
                body.insert("prompt_cache_key".to_owned(), json!(cache_key));
            }
            body.insert("store".to_owned(), json!(false));
        }
        Value::Object(body).to_string()
    }
}

fn message(message: &Message) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    json!({ "role": role, "content": message.content })
}

impl Structured {
    fn field(self, schema: &Schema) -> (&'static str, Value) {
        match self {
            Structured::JsonSchema => (
                "response_format",
                json!({
                    "type": "json_schema",
                    "json_schema": { "name": schema.name, "strict": true, "schema": schema.schema },
                }),
            ),
            Structured::StructuredOutputs => {
                ("structured_outputs", json!({ "json": schema.schema }))
            }
            Structured::JsonObject => ("response_format", json!({ "type": "json_object" })),
        }
    }
}

impl Schema {
    /// What makes this schema unfit for strict output, if anything does; a vendor would answer 400 to every call.
    #[must_use]
    pub fn strict_problem(&self) -> Option<String> {
        if self.schema.get("type").and_then(Value::as_str) != Some("object") {
            return Some("the root is not an object".to_owned());
        }
        strict_problem(&self.schema, "root")
    }
}

fn strict_problem(node: &Value, path: &str) -> Option<String> {
    if let Some(properties) = node.get("properties").and_then(Value::as_object) {
        if node.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Some(format!("{path} lacks additionalProperties: false"));
        }
        let required = node.get("required").and_then(Value::as_array);
        for (name, property) in properties {
            if !required.is_some_and(|names| names.iter().any(|known| known == name)) {
                return Some(format!("{path}.{name} is not required"));
            }
            if let Some(problem) = strict_problem(property, &format!("{path}.{name}")) {
                return Some(problem);
            }
        }
    }
    node.get("items")
        .and_then(|items| strict_problem(items, &format!("{path}[]")))
}

#[cfg(test)]
mod tests {
    use super::{Quirks, TokenLimit, VendorFields};

    #[test]
    fn a_field_is_given_up_only_where_it_is_refused_by_name_as_unknown() {
        let mut local = Quirks::local();
        let openai = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        assert!(!local.learn("max_tokens is too large: 900000"));
        assert!(local.learn(openai));
        assert_eq!(local.token_limit, TokenLimit::MaxCompletionTokens);
        assert!(!local.learn(openai), "nothing more to give up");

        let mut vendor = Quirks::openai();
        assert!(vendor.learn("body.reasoning_effort: Extra inputs are not permitted"));
        assert_eq!(vendor.reasoning_effort, None);
        assert!(vendor.learn("unknown field prompt_cache_key"));
        assert_eq!(vendor.vendor_fields, VendorFields::Omit);
        assert!(vendor.learn("Unrecognized request argument supplied: max_completion_tokens"));
        assert_eq!(vendor.token_limit, TokenLimit::MaxTokens);
        assert!(!vendor.learn("Unsupported value: 'messages[0].role'"));
    }
}
