//! Client events on the session and on items.

use serde_json::{Value, json};

use super::Realtime;
use super::items::{self, Item, Kind, Status};
use super::session::Refusal;

impl Realtime {
    pub(super) fn update_session(&mut self, event: &Value) -> Result<(), Refusal> {
        self.session.update(&event["session"], self.voice_heard)?;
        self.configure_detection();
        let session = self.session.json().clone();
        self.send("session.updated", json!({ "session": session }));
        Ok(())
    }

    pub(super) fn create_item(&mut self, now_ms: u64, event: &Value) -> Result<(), Refusal> {
        let (item, audio) = items::read(&event["item"], || self.ids.next("item"))?;
        if self.items.iter().any(|known| known.id == item.id) {
            let message = format!(
                "Error adding item: an item with ID '{}' already exists in the conversation.",
                item.id
            );
            return Err(Refusal::new(
                "item_create_duplicate_item_id",
                message,
                "item.id",
            ));
        }
        if let Kind::Output { call, .. } = &item.kind
            && !self
                .items
                .iter()
                .any(|known| matches!(&known.kind, Kind::Call { call: known, .. } if known == call))
        {
            let message = format!("Tool call ID '{call}' not found in conversation.");
            return Err(Refusal::new(
                "invalid_tool_call_id",
                message,
                "item.call_id",
            ));
        }
        let at = match event.get("previous_item_id").filter(|id| !id.is_null()) {
            None => self.items.len(),
            Some(Value::String(root)) if root == "root" => 0,
            Some(id) => match self.items.iter().position(|item| *id == *item.id) {
                Some(at) => at + 1,
                None => {
                    let message = format!(
                        "Error adding item: the previous item with ID {id} does not exist."
                    );
                    return Err(Refusal::new(
                        "item_create_invalid_previous_item_id",
                        message,
                        "previous_item_id",
                    ));
                }
            },
        };
        let id = item.id.clone();
        self.insert_item(at, item);
        if let Some(pcm) = audio {
            self.recognise(now_ms, id, pcm);
        }
        Ok(())
    }

    /// Puts a complete item into the conversation and says so.
    pub(super) fn insert_item(&mut self, at: usize, item: Item) {
        let previous = at.checked_sub(1).map(|at| self.items[at].id.clone());
        let event = json!({ "previous_item_id": previous, "item": item.json() });
        self.items.insert(at, item);
        self.send("conversation.item.added", event.clone());
        self.send("conversation.item.done", event);
    }

    pub(super) fn retrieve_item(&mut self, event: &Value) -> Result<(), Refusal> {
        let at = self.item_at(event, "item_retrieve_invalid_item_id", "retrieving")?;
        let item = self.items[at].json();
        self.send("conversation.item.retrieved", json!({ "item": item }));
        Ok(())
    }

    pub(super) fn delete_item(&mut self, event: &Value) -> Result<(), Refusal> {
        let at = self.item_at(event, "item_delete_invalid_item_id", "deleting")?;
        let item = self.items.remove(at);
        self.unheard.retain(|id| *id != item.id);
        self.send("conversation.item.deleted", json!({ "item_id": item.id }));
        Ok(())
    }

    pub(super) fn truncate_item(&mut self, event: &Value) -> Result<(), Refusal> {
        let at = self.item_at(event, "item_truncate_invalid_item_id", "truncating")?;
        let content_index = event["content_index"].as_u64();
        let Some(end_ms) = event["audio_end_ms"].as_u64() else {
            return Err(Refusal::new(
                "invalid_type",
                "Invalid type for 'audio_end_ms': expected a non-negative integer.",
                "audio_end_ms",
            ));
        };
        let item = &mut self.items[at];
        let Kind::ModelAudio { ms, transcript, .. } = &mut item.kind else {
            return Err(Refusal::new(
                "invalid_value",
                "Only model output audio messages can be truncated.",
                "item_id",
            ));
        };
        if content_index != Some(0) {
            return Err(Refusal::new(
                "invalid_value",
                "Invalid 'content_index': the item has one content part.",
                "content_index",
            ));
        }
        if end_ms > *ms {
            let message = format!("Audio content of {ms}ms is already shorter than {end_ms}ms");
            return Err(Refusal {
                code: None,
                message,
                param: None,
            });
        }
        *ms = end_ms;
        // The vendor deletes the transcript, because it does not know which words were heard.
        *transcript = None;
        item.revision += 1;
        if item.status == Status::InProgress {
            item.status = Status::Incomplete;
        }
        let event = json!({ "item_id": item.id, "content_index": 0, "audio_end_ms": end_ms });
        self.send("conversation.item.truncated", event);
        Ok(())
    }

    fn item_at(&self, event: &Value, code: &'static str, doing: &str) -> Result<usize, Refusal> {
        let id = event["item_id"].as_str().unwrap_or_default();
        let missing = || {
            Refusal::new(
                code,
                format!("Error {doing} item: the item with ID '{id}' does not exist."),
                "item_id",
            )
        };
        self.items
            .iter()
            .position(|item| item.id == id)
            .ok_or_else(missing)
    }
}
