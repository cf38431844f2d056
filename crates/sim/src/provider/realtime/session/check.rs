//! What values an update may have: fields, types and ranges of this protocol version.

use serde_json::{Map, Value, json};

use super::Refusal;

pub(super) fn check_values(update: &Map<String, Value>) -> Result<(), Refusal> {
    if let Some(instructions) = update.get("instructions")
        && !instructions.is_string()
        && !instructions.is_null()
    {
        return Err(invalid_type("session.instructions", "a string"));
    }
    if let Some(modalities) = update.get("output_modalities")
        && *modalities != json!(["audio"])
        && *modalities != json!(["text"])
    {
        return Err(invalid(
            "session.output_modalities",
            &modalities.to_string(),
            "['text'] and ['audio']",
        ));
    }
    if let Some(tools) = update.get("tools").filter(|tools| !tools.is_null()) {
        let Some(tools) = tools.as_array() else {
            return Err(invalid_type("session.tools", "an array"));
        };
        for (index, tool) in tools.iter().enumerate() {
            let path = format!("session.tools[{index}]");
            let tool = object(tool, &path)?;
            known_only(tool, &path, &["type", "name", "description", "parameters"])?;
            if tool
                .get("name")
                .and_then(Value::as_str)
                .is_none_or(str::is_empty)
            {
                let param = format!("{path}.name");
                return Err(Refusal::new(
                    "missing_required_parameter",
                    format!("Missing required parameter: '{param}'."),
                    param,
                ));
            }
        }
    }
    match update.get("max_output_tokens") {
        Some(Value::String(inf)) if inf == "inf" => Ok(()),
        Some(Value::Number(tokens))
            if tokens
                .as_u64()
                .is_some_and(|tokens| (1..=32_000).contains(&tokens)) =>
        {
            Ok(())
        }
        None => Ok(()),
        Some(other) => Err(invalid(
            "session.max_output_tokens",
            &other.to_string(),
            "1 to 32000, and 'inf'",
        )),
    }
}

const DETECTION: &str = "session.audio.input.turn_detection";

pub(super) fn check_input(input: &Map<String, Value>) -> Result<(), Refusal> {
    known_only(
        input,
        "session.audio.input",
        &[
            "format",
            "transcription",
            "noise_reduction",
            "turn_detection",
        ],
    )?;
    check_format(input, "session.audio.input.format")?;
    if let Some(transcription) = input.get("transcription").filter(|value| !value.is_null()) {
        const PATH: &str = "session.audio.input.transcription";
        known_only(
            object(transcription, PATH)?,
            PATH,
            &[
                "model",
                "language",
                "languages",
                "prompt",
                "keywords",
                "delay",
            ],
        )?;
    }
    if let Some(reduction) = input
        .get("noise_reduction")
        .filter(|value| !value.is_null())
    {
        const PATH: &str = "session.audio.input.noise_reduction";
        known_only(object(reduction, PATH)?, PATH, &["type", "strength"])?;
    }
    match input.get("turn_detection").filter(|value| !value.is_null()) {
        None => Ok(()),
        Some(detection) => check_detection(object(detection, DETECTION)?),
    }
}

fn check_detection(detection: &Map<String, Value>) -> Result<(), Refusal> {
    match detection.get("type").and_then(Value::as_str) {
        Some("server_vad") => known_only(
            detection,
            DETECTION,
            &[
                "type",
                "threshold",
                "prefix_padding_ms",
                "silence_duration_ms",
                "idle_timeout_ms",
                "create_response",
                "interrupt_response",
            ],
        )?,
        Some("semantic_vad") => known_only(
            detection,
            DETECTION,
            &["type", "eagerness", "create_response", "interrupt_response"],
        )?,
        other => {
            let param = format!("{DETECTION}.type");
            return Err(invalid(
                &param,
                &format!("'{}'", other.unwrap_or_default()),
                "'server_vad' and 'semantic_vad'",
            ));
        }
    }
    in_range(
        detection,
        "threshold",
        &format!("{DETECTION}.threshold"),
        0.0,
        1.0,
    )?;
    in_range(
        detection,
        "prefix_padding_ms",
        &format!("{DETECTION}.prefix_padding_ms"),
        0.0,
        60_000.0,
    )?;
    in_range(
        detection,
        "silence_duration_ms",
        &format!("{DETECTION}.silence_duration_ms"),
        0.0,
        60_000.0,
    )?;
    in_range(
        detection,
        "idle_timeout_ms",
        &format!("{DETECTION}.idle_timeout_ms"),
        5_000.0,
        30_000.0,
    )
}

/// The simulator speaks 24 kHz PCM only; the vendor's G.711 formats are for telephony.
pub(super) fn check_format(side: &Map<String, Value>, path: &str) -> Result<(), Refusal> {
    let Some(format) = side.get("format").filter(|value| !value.is_null()) else {
        return Ok(());
    };
    known_only(object(format, path)?, path, &["type", "rate"])?;
    let rate_fits = format.get("rate").is_none_or(|rate| *rate == json!(24_000));
    if format["type"] == "audio/pcm" && rate_fits {
        return Ok(());
    }
    Err(invalid(
        path,
        &format.to_string(),
        "'audio/pcm' at 24000 Hz (this simulator has no G.711)",
    ))
}

pub(super) fn in_range(
    object: &Map<String, Value>,
    key: &str,
    param: &str,
    low: f64,
    high: f64,
) -> Result<(), Refusal> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(()),
        Some(value) => match value.as_f64() {
            Some(number) if (low..=high).contains(&number) => Ok(()),
            Some(number) => Err(invalid(
                param,
                &number.to_string(),
                &format!("{low} to {high}"),
            )),
            None => Err(invalid_type(param, "a number")),
        },
    }
}

pub(super) fn object<'a>(value: &'a Value, param: &str) -> Result<&'a Map<String, Value>, Refusal> {
    value
        .as_object()
        .ok_or_else(|| invalid_type(param, "an object"))
}

/// Refuses fields that the protocol does not have.
pub(in crate::provider::realtime) fn known_only(
    object: &Map<String, Value>,
    path: &str,
    known: &[&str],
) -> Result<(), Refusal> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let param = format!("{path}.{key}");
            Err(Refusal::new(
                "unknown_parameter",
                format!("Unknown parameter: '{param}'."),
                param,
            ))
        }
    }
}

pub(super) fn invalid(param: &str, value: &str, supported: &str) -> Refusal {
    Refusal::new(
        "invalid_value",
        format!("Invalid value: {value}. Supported values are: {supported}."),
        param,
    )
}

fn invalid_type(param: &str, wanted: &str) -> Refusal {
    Refusal::new(
        "invalid_type",
        format!("Invalid type for '{param}': expected {wanted}."),
        param,
    )
}
