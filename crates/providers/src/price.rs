//! The price book: what a model cost on a day, with where we read it.
//!
//! Prices change and models are retired, so they are dated rows of data (`prices.toml`), and an operator's rows (a
//! negotiated rate, a model of their own) go before ours.

use std::collections::BTreeMap;

use engine::cost::{Component, Prices};
use serde::Deserialize;

use crate::profile::Profile;

const BUILT_IN: &str = include_str!("../prices.toml");

/// What models cost, by date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceBook {
    /// The operator's rows, then ours.
    layers: Vec<Vec<Row>>,
}

/// What is wrong with a price file, or with a question to the book.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// The text is no TOML, has a key that is not known, or a value of the wrong kind.
    #[error("{0}")]
    File(String),
    /// A row names a component that does not exist.
    #[error("price of `{model}`: there is no component `{component}`; components are {known}", known = component_names())]
    Component {
        /// The row's first model.
        model: String,
        /// The name that was given.
        component: String,
    },
    /// A row's value makes no sense.
    #[error("price of `{model}`: {problem}")]
    Row {
        /// The row's first model.
        model: String,
        /// What is wrong with it and what would be right.
        problem: String,
    },
    /// The book does not know the model, and pricing it at nothing would be a silent mistake.
    #[error(
        "no price is known for model `{model}`: add a [[price]] with it to the operator's price file"
    )]
    UnknownModel {
        /// The model.
        model: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    models: Vec<String>,
    from: String,
    /// Where the price was read. Not used by code; demanded so that nobody has to guess later.
    source: String,
    /// When it was read: `YYYY-MM` or `YYYY-MM-DD`.
    checked: String,
    micro_usd_per_million: BTreeMap<String, i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    price: Vec<Row>,
}

impl PriceBook {
    /// The prices that come with Colloquy.
    ///
    /// # Panics
    ///
    /// Never in a build that passes its tests: the file is compiled in and checked there.
    #[must_use]
    pub fn built_in() -> PriceBook {
        PriceBook::with(None).expect("prices.toml is compiled in and checked by a test")
    }

    /// The built-in prices with the operator's before them.
    ///
    /// # Errors
    ///
    /// If the operator's file is not as described in `prices.toml`.
    pub fn with(operator: Option<&str>) -> Result<PriceBook, PriceError> {
        let texts = operator.into_iter().chain([BUILT_IN]);
        Ok(PriceBook {
            layers: texts.map(parse).collect::<Result<_, _>>()?,
        })
    }

    /// What one model cost on a day (`YYYY-MM-DD`).
    ///
    /// # Errors
    ///
    /// If the book does not know the model.
    pub fn prices(&self, model: &str, date: &str) -> Result<Prices, PriceError> {
        self.prices_of(&[model], date)
    }

    /// What several models that work on one session cost together on a day: their components do not overlap
    /// (speech, transcription, enrichment). Of two that do, the first counts.
    ///
    /// # Errors
    ///
    /// If the book does not know one of them.
    pub fn prices_of(&self, models: &[&str], date: &str) -> Result<Prices, PriceError> {
        let mut rates: Vec<(Component, i64)> = Vec::new();
        for model in models {
            if !self.layers.iter().flatten().any(|row| row.is_for(model)) {
                return Err(PriceError::UnknownModel {
                    model: (*model).to_owned(),
                });
            }
            for component in Component::ALL {
                let rate = self.rate(model, component, date);
                if let Some(rate) = rate
                    && rates.iter().all(|(known, _)| *known != component)
                {
                    rates.push((component, rate));
                }
            }
        }
        Ok(Prices::new(rates))
    }

    /// What a profile's speech and transcription models cost on a day.
    ///
    /// # Errors
    ///
    /// If the book does not know one of them.
    pub fn prices_for(&self, profile: &Profile, date: &str) -> Result<Prices, PriceError> {
        let models: Vec<&str> = [
            Some(profile.model.as_str()),
            profile.transcription_model.as_deref(),
        ]
        .into_iter()
        .flatten()
        .collect();
        self.prices_of(&models, date)
    }

    /// The first layer with a row up to the date says, by its latest. Before all dates the earliest row of any layer
    /// counts: a clock that is wrong must not make interviews free.
    fn rate(&self, model: &str, component: Component, date: &str) -> Option<i64> {
        let priced = |rows: &[Row]| {
            let rows = rows.iter().filter(|row| row.is_for(model));
            let rates = rows.filter_map(|row| {
                Some((
                    row.from.clone(),
                    *row.micro_usd_per_million.get(component.name())?,
                ))
            });
            rates.collect::<Vec<_>>()
        };
        let layers: Vec<Vec<(String, i64)>> = self.layers.iter().map(|rows| priced(rows)).collect();
        let current = layers.iter().find_map(|rates| {
            rates
                .iter()
                .filter(|(from, _)| from.as_str() <= date)
                .max_by(|one, other| one.0.cmp(&other.0))
        });
        let earliest = || {
            layers
                .iter()
                .flatten()
                .min_by(|one, other| one.0.cmp(&other.0))
        };
        current.or_else(earliest).map(|(_, rate)| *rate)
    }
}

impl Row {
    fn is_for(&self, model: &str) -> bool {
        self.models.iter().any(|known| known == model)
    }

    fn check(&self) -> Result<(), PriceError> {
        let model = self.models.first().cloned().unwrap_or_default();
        let wrong = |problem: &str| {
            Err(PriceError::Row {
                model: model.clone(),
                problem: problem.to_owned(),
            })
        };
        if self.models.is_empty() {
            return wrong("`models` is empty: name at least one");
        }
        if !is_date(&self.from) {
            return wrong("`from` is no date: write YYYY-MM-DD");
        }
        if self.source.trim().is_empty() || self.checked.trim().is_empty() {
            return wrong("`source` and `checked` must say where and when the price was read");
        }
        for (name, rate) in &self.micro_usd_per_million {
            if Component::from_name(name).is_none() {
                return Err(PriceError::Component {
                    model,
                    component: name.clone(),
                });
            }
            if *rate < 0 {
                return wrong("a price is negative");
            }
        }
        Ok(())
    }
}

fn parse(text: &str) -> Result<Vec<Row>, PriceError> {
    let file: File = toml::from_str(text).map_err(|error| PriceError::File(error.to_string()))?;
    file.price.iter().try_for_each(Row::check)?;
    Ok(file.price)
}

/// `YYYY-MM-DD`, so that comparing text compares days.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| {
            if at == 4 || at == 7 {
                byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        })
}

fn component_names() -> String {
    Component::ALL.map(Component::name).join(", ")
}
