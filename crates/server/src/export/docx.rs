//! A transcript for a word processor: the least of Office Open XML (ECMA-376) that Word, LibreOffice and the tools of
//! qualitative research read. A heading for each phase, a paragraph for each turn: `[hh:mm:ss] NAME: words`.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::transcript::whole_seconds;
use super::{Interview, flat};

const TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/><Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/></Types>"#;

const RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>"#;

const DOCUMENT_RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#;

const STYLES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style><w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/><w:basedOn w:val="Normal"/><w:rPr><w:b/><w:sz w:val="36"/></w:rPr></w:style><w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/><w:basedOn w:val="Normal"/><w:pPr><w:keepNext/><w:outlineLvl w:val="1"/></w:pPr><w:rPr><w:b/><w:sz w:val="28"/></w:rPr></w:style></w:styles>"#;

pub(super) fn document(interview: &Interview) -> Vec<u8> {
    let into_memory = "an archive in memory takes any file";
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let body = body(interview);
    for (name, content) in [
        ("[Content_Types].xml", TYPES),
        ("_rels/.rels", RELATIONS),
        ("word/_rels/document.xml.rels", DOCUMENT_RELATIONS),
        ("word/styles.xml", STYLES),
        ("word/document.xml", &body),
    ] {
        zip.start_file(name, SimpleFileOptions::default())
            .expect(into_memory);
        zip.write_all(content.as_bytes()).expect(into_memory);
    }
    zip.finish().expect(into_memory).into_inner()
}

fn body(interview: &Interview) -> String {
    let session = &interview.session;
    let mut text = String::from(
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>"#,
    );
    paragraph(&mut text, Some("Title"), &session.study_title);
    let about = format!(
        "Session {}, {}, study {} version {}, language {}, {}.",
        session.session_id,
        interview.participant(),
        session.study_id,
        session.study_version,
        session.language,
        session
            .duration_ms
            .map_or_else(|| "still running".to_owned(), whole_seconds)
    );
    paragraph(&mut text, None, &about);
    let mut phase = None;
    for turn in interview.heard() {
        if phase != Some(&turn.phase) {
            phase = Some(&turn.phase);
            paragraph(&mut text, Some("Heading2"), turn.phase.as_str());
        }
        let line = format!(
            "[{}] {}: {}",
            whole_seconds(turn.start_ms),
            interview.speaker(turn.speaker),
            flat(turn.words())
        );
        paragraph(&mut text, None, &line);
    }
    text.push_str("</w:body></w:document>");
    text
}

fn paragraph(body: &mut String, style: Option<&str>, text: &str) {
    body.push_str("<w:p>");
    if let Some(style) = style {
        let _ = write!(body, r#"<w:pPr><w:pStyle w:val="{style}"/></w:pPr>"#);
    }
    let _ = write!(
        body,
        r#"<w:r><w:t xml:space="preserve">{}</w:t></w:r></w:p>"#,
        escaped(text)
    );
}

/// Characters that XML 1.0 does not know at all are left out (<https://www.w3.org/TR/xml/#charsets>).
fn escaped(text: &str) -> String {
    let known = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    let text: String = text.chars().filter(known).collect();
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
