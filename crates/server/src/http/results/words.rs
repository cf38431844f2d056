//! Themes as people read them.

use std::collections::{BTreeMap, BTreeSet};

use engine::analysis::{Case, Feelings, Part, Theme};
use engine::ids::{PhaseId, StudyId};

use super::{CaseView, FeelingsView, ShareView, ThemeView, TopicView};
use crate::app::App;
use crate::export::participant;
use crate::study::Study;

/// Places of one number that are shown: more are found in the grid.
const PLACES_MAX: usize = 12;

/// What people read for ids: in the words of the latest version that knows them.
pub(super) struct Words {
    codes: BTreeMap<String, String>,
    /// With the place in the study.
    phases: BTreeMap<String, (usize, String)>,
}

impl Words {
    pub(super) async fn of(
        app: &App,
        id: &StudyId,
        latest: &Study,
        versions: &BTreeSet<u32>,
    ) -> Words {
        let mut words = Words {
            codes: BTreeMap::new(),
            phases: BTreeMap::new(),
        };
        for version in versions {
            // A version that is not accepted any more has no words; its ids are shown.
            if let Ok(Some(study)) = app.study(id, *version).await {
                words.add(&study);
            }
        }
        words.add(latest);
        words
    }

    fn add(&mut self, study: &Study) {
        let codes = study.codebook.iter();
        self.codes
            .extend(codes.map(|code| (code.id.clone(), code.label.clone())));
        for (place, phase) in study.phases.iter().enumerate() {
            self.phases
                .insert(phase.id.to_string(), (place, phase.title.clone()));
        }
    }

    fn topic(&self, topic: &str) -> String {
        self.codes
            .get(topic)
            .map_or(topic, String::as_str)
            .to_owned()
    }

    pub(super) fn topics(&self, topics: BTreeSet<String>) -> Vec<TopicView> {
        let view = |topic: String| TopicView {
            label: self.topic(&topic),
            topic,
        };
        topics.into_iter().map(view).collect()
    }

    /// Sections as the study has them, those of older versions last.
    fn in_order(&self, phases: BTreeMap<PhaseId, Part>) -> Vec<ShareView> {
        let mut shares: Vec<(usize, ShareView)> = phases
            .into_iter()
            .map(|(phase, of)| {
                let known = self.phases.get(phase.as_str());
                let place = known.map_or(usize::MAX, |(place, _)| *place);
                let title = known.map_or(phase.as_str(), |(_, title)| title);
                (place, share(phase.to_string(), title.to_owned(), of))
            })
            .collect();
        shares.sort_by_key(|(place, _)| *place);
        shares.into_iter().map(|(_, share)| share).collect()
    }

    pub(super) fn theme(&self, theme: Theme) -> ThemeView {
        ThemeView {
            label: self.topic(&theme.topic),
            participants: theme.share.participants,
            of: theme.share.of,
            segments: theme.segments,
            feelings: feelings(theme.feelings),
            against: theme.against.iter().map(case).collect(),
            phases: self.in_order(theme.phases),
            waves: theme
                .waves
                .into_iter()
                .map(|(wave, of)| share(wave.to_string(), format!("Version {wave}"), of))
                .collect(),
            topic: theme.topic,
        }
    }
}

fn share(key: String, label: String, part: Part) -> ShareView {
    ShareView {
        key,
        label,
        participants: part.share.participants,
        of: part.share.of,
        feelings: feelings(part.feelings),
        places: part
            .places
            .iter()
            .rev()
            .take(PLACES_MAX)
            .map(case)
            .collect(),
    }
}

fn case(case: &Case) -> CaseView {
    CaseView {
        participant: participant(&case.session),
        session_id: case.session.to_string(),
        turn: case.turn.0,
    }
}

fn feelings(felt: Feelings) -> FeelingsView {
    FeelingsView {
        negative: felt.negative,
        neutral: felt.neutral,
        positive: felt.positive,
        mixed: felt.mixed,
    }
}
