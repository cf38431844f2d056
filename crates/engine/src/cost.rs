//! Money and usage. Integers only; a wrapped number here is somebody's bill.

use std::fmt;

/// An amount in millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroUsd(pub i64);

impl MicroUsd {
    /// Nothing.
    pub const ZERO: MicroUsd = MicroUsd(0);

    /// The sum, held at the largest amount rather than wrapped.
    #[must_use]
    pub const fn plus(self, other: MicroUsd) -> MicroUsd {
        MicroUsd(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for MicroUsd {
    /// Dollars and cents with four decimals: `$0.0203`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let abs = self.0.unsigned_abs();
        write!(f, "{sign}${}.{:04}", abs / 1_000_000, abs % 1_000_000 / 100)
    }
}

/// What is counted, and in which unit. The ledger has one row per component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// Text tokens in, not from cache (speech model).
    TextIn,
    /// Text tokens in, served from the vendor's cache.
    TextCached,
    /// Audio tokens in, not from cache.
    AudioIn,
    /// Audio tokens in, served from the vendor's cache.
    AudioCached,
    /// Text tokens out (speech model).
    TextOut,
    /// Audio tokens out.
    AudioOut,
    /// Transcription of the participant's audio, in milliseconds of audio.
    TranscriptionMs,
    /// Transcription billed in tokens in.
    TranscriptionIn,
    /// Transcription billed in tokens out.
    TranscriptionOut,
    /// Time of an open connection, in milliseconds (vendors that bill by the second).
    ConnectionMs,
    /// Enrichment: text tokens in, not from cache.
    EnrichmentIn,
    /// Enrichment: text tokens in, from cache.
    EnrichmentCached,
    /// Enrichment: text tokens out.
    EnrichmentOut,
}

impl Component {
    /// All components, in the order in which a bill lists them.
    pub const ALL: [Component; 13] = [
        Component::TextIn,
        Component::TextCached,
        Component::AudioIn,
        Component::AudioCached,
        Component::TextOut,
        Component::AudioOut,
        Component::TranscriptionMs,
        Component::TranscriptionIn,
        Component::TranscriptionOut,
        Component::ConnectionMs,
        Component::EnrichmentIn,
        Component::EnrichmentCached,
        Component::EnrichmentOut,
    ];

    /// The name in the ledger, the price book, the API and metrics: `audio_in`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Component::TextIn => "text_in",
            Component::TextCached => "text_cached",
            Component::AudioIn => "audio_in",
            Component::AudioCached => "audio_cached",
            Component::TextOut => "text_out",
            Component::AudioOut => "audio_out",
            Component::TranscriptionMs => "transcription_ms",
            Component::TranscriptionIn => "transcription_in",
            Component::TranscriptionOut => "transcription_out",
            Component::ConnectionMs => "connection_ms",
            Component::EnrichmentIn => "enrichment_in",
            Component::EnrichmentCached => "enrichment_cached",
            Component::EnrichmentOut => "enrichment_out",
        }
    }

    /// The component of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Component> {
        Component::ALL
            .into_iter()
            .find(|component| component.name() == name)
    }
}

/// Quantities used, by component. Cached tokens are NOT contained in the uncached ones: adapters subtract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage(Vec<(Component, u64)>);

impl Usage {
    /// Nothing used.
    #[must_use]
    pub const fn none() -> Usage {
        Usage(Vec::new())
    }

    /// Adds a quantity; zero is not kept.
    #[must_use]
    pub fn with(mut self, component: Component, quantity: u64) -> Usage {
        if quantity == 0 {
            return self;
        }
        match self.0.iter_mut().find(|(known, _)| *known == component) {
            Some((_, sum)) => *sum = sum.saturating_add(quantity),
            None => self.0.push((component, quantity)),
        }
        self
    }

    /// The quantity of one component.
    #[must_use]
    pub fn get(&self, component: Component) -> u64 {
        self.0
            .iter()
            .find(|(known, _)| *known == component)
            .map_or(0, |(_, quantity)| *quantity)
    }

    /// What was used, in the order in which it was added.
    pub fn iter(&self) -> impl Iterator<Item = (Component, u64)> + '_ {
        self.0.iter().copied()
    }

    /// Whether nothing was used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One row of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What was used.
    pub component: Component,
    /// How much: tokens, or milliseconds for the `_ms` components.
    pub quantity: u64,
    /// What that costs.
    pub cost: MicroUsd,
}

/// Prices of one model at one date: micro-dollars per million units (tokens; milliseconds for the `_ms` components).
/// So $32 per million audio tokens is `32_000_000`; $0.0045 per minute is `75_000` ($0.075 per million ms).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices(Vec<(Component, i64)>);

impl Prices {
    /// Makes a price list.
    #[must_use]
    pub const fn new(micro_usd_per_million: Vec<(Component, i64)>) -> Prices {
        Prices(micro_usd_per_million)
    }

    /// Prices each quantity, rounded half up to a whole micro-dollar per row. A component without a price costs nothing
    /// and still gets its row, so that the quantity is on record.
    #[must_use]
    pub fn charge(&self, usage: &Usage) -> Vec<Charge> {
        usage
            .iter()
            .map(|(component, quantity)| {
                let price = self
                    .0
                    .iter()
                    .find(|(known, _)| *known == component)
                    .map_or(0, |(_, price)| *price);
                let exact = i128::from(price).saturating_mul(i128::from(quantity));
                let rounded = exact.saturating_add(500_000) / 1_000_000;
                Charge {
                    component,
                    quantity,
                    cost: MicroUsd(i64::try_from(rounded).unwrap_or(i64::MAX)),
                }
            })
            .collect()
    }
}
