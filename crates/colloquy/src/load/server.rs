//! What the server says about itself: Prometheus' text format, read leniently. What it does not export is none, never
//! zero. Pure.

/// One scrape.
#[derive(Clone, Debug, Default)]
pub(super) struct Scrape {
    samples: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    /// Name and value.
    labels: Vec<(String, String)>,
    value: f64,
}

/// A histogram: upper bounds in ascending order, and how many samples lie at or below each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Histogram {
    buckets: Vec<(f64, f64)>,
}

impl Scrape {
    /// Reads a page; lines that make no sense are passed over.
    pub(super) fn read(text: &str) -> Scrape {
        let samples = text.lines().filter_map(sample).collect();
        Scrape { samples }
    }

    fn named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.name == name)
    }

    /// The sum over all labels.
    pub(super) fn sum(&self, name: &str) -> Option<f64> {
        let mut values = self.named(name).map(|sample| sample.value).peekable();
        values.peek()?;
        Some(values.sum())
    }

    /// By how much a counter grew since; a counter that fell was set to zero by a restart.
    pub(super) fn growth(&self, before: &Scrape, name: &str) -> Option<f64> {
        let now = self.sum(name)?;
        let then = before.sum(name).unwrap_or(0.0);
        Some(if now < then { now } else { now - then })
    }

    /// What grew, by the value of a label; what did not is left out.
    pub(super) fn growth_by(&self, before: &Scrape, name: &str, label: &str) -> Vec<(String, f64)> {
        let of = |sample: &Sample| {
            let found = sample.labels.iter().find(|(key, _)| key == label);
            found.map(|(_, value)| value.clone())
        };
        let then = |value: &str| {
            let same = before
                .named(name)
                .find(|sample| of(sample).as_deref() == Some(value));
            same.map_or(0.0, |sample| sample.value)
        };
        let grown = self.named(name).filter_map(|sample| {
            let value = of(sample)?;
            let growth = sample.value - then(&value);
            (growth > 0.0).then_some((value, growth))
        });
        grown.collect()
    }

    /// The samples of a histogram that came since, over all labels.
    pub(super) fn histogram(&self, before: &Scrape, name: &str) -> Option<Histogram> {
        let now = self.cumulative(name)?;
        let then = before.cumulative(name).unwrap_or_default();
        let before_bound = |bound: f64| {
            let same = then.buckets.iter().find(|(other, _)| *other == bound);
            same.map_or(0.0, |(_, count)| *count)
        };
        let buckets = now.buckets.iter();
        let buckets =
            buckets.map(|(bound, count)| (*bound, (count - before_bound(*bound)).max(0.0)));
        Some(Histogram {
            buckets: buckets.collect(),
        })
    }

    fn cumulative(&self, name: &str) -> Option<Histogram> {
        let name = format!("{name}_bucket");
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for sample in self.named(&name) {
            let Some((_, bound)) = sample.labels.iter().find(|(key, _)| key == "le") else {
                continue;
            };
            let bound = number(bound)?;
            match buckets.iter_mut().find(|(other, _)| *other == bound) {
                Some((_, count)) => *count += sample.value,
                None => buckets.push((bound, sample.value)),
            }
        }
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        (!buckets.is_empty()).then_some(Histogram { buckets })
    }
}

impl Histogram {
    /// How many samples.
    pub(super) fn count(&self) -> f64 {
        self.buckets.last().map_or(0.0, |(_, count)| *count)
    }

    /// The value below which this part (0 to 1) of the samples lies, as if they were spread evenly within their bucket;
    /// beyond the last bound that bound. None without samples.
    pub(super) fn quantile(&self, part: f64) -> Option<f64> {
        let wanted = self.count() * part;
        if self.count() <= 0.0 {
            return None;
        }
        let (mut lower, mut below) = (0.0, 0.0);
        for (bound, count) in &self.buckets {
            if *count >= wanted && *count > below {
                if bound.is_infinite() {
                    return Some(lower);
                }
                return Some(lower + (bound - lower) * (wanted - below) / (count - below));
            }
            (lower, below) = (*bound, *count);
        }
        None
    }

    /// Bounds, and which part of the samples lies at or below each: what a plot of the distribution needs.
    pub(super) fn parts(&self) -> Vec<(f64, f64)> {
        let count = self.count();
        let finite = self.buckets.iter().filter(|(bound, _)| bound.is_finite());
        finite
            .filter(|_| count > 0.0)
            .map(|(bound, below)| (*bound, below / count))
            .collect()
    }
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        other => other.parse().ok(),
    }
}

/// `name{label="value",…} 1.5`, with or without labels, with or without a timestamp.
fn sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let (head, labels, rest) = match line.split_once('{') {
        Some((head, rest)) => {
            let (labels, rest) = labels(rest)?;
            (head, labels, rest)
        }
        None => {
            let (head, rest) = line.split_once(' ')?;
            (head, Vec::new(), rest)
        }
    };
    Some(Sample {
        name: head.trim().to_owned(),
        labels,
        value: number(rest.split_whitespace().next()?)?,
    })
}

/// Reads labels up to the brace; values may hold anything, with `\\`, `\"` and `\n`.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.push((name.to_owned(), value));
        rest = after.get(end + 1..)?;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn histogram(counts: [u32; 3]) -> String {
        let [a, b, c] = counts;
        format!(
            "h_bucket{{le=\"0.1\"}} {a}\nh_bucket{{le=\"0.2\"}} {b}\nh_bucket{{le=\"+Inf\"}} {c}\nh_count {c}\n"
        )
    }

    #[test]
    fn lines_are_read_with_and_without_labels_and_nonsense_is_passed_over() {
        let scrape = Scrape::read(
            "# HELP a Something.\na 3\nb_total{kind=\"x\"} 2\nb_total{kind=\"y \\\"}\\\\\",of=\"z\"} 5 1700000000\nnonsense\n{\nc{ 1\n# EOF\n",
        );
        assert_eq!(scrape.sum("a"), Some(3.0));
        assert_eq!(scrape.sum("b_total"), Some(7.0));
        assert_eq!(scrape.sum("c"), None);
        assert_eq!(scrape.sum("b"), None);
        let by = scrape.growth_by(&Scrape::default(), "b_total", "kind");
        assert_eq!(by, [("x".to_owned(), 2.0), ("y \"}\\".to_owned(), 5.0)]);
    }

    #[test]
    fn counters_grow_since_the_first_scrape_and_start_over_after_a_restart() {
        let (before, after) = (Scrape::read("a 10\n"), Scrape::read("a 12\n"));
        assert_eq!(after.growth(&before, "a"), Some(2.0));
        assert_eq!(Scrape::read("a 4\n").growth(&before, "a"), Some(4.0));
        assert_eq!(after.growth(&before, "b"), None);
    }

    #[test]
    fn quantiles_lie_evenly_within_their_bucket() {
        let (before, after) = (
            Scrape::read(&histogram([50, 50, 50])),
            Scrape::read(&histogram([60, 140, 150])),
        );
        let new = after.histogram(&before, "h").unwrap();
        assert!((new.count() - 100.0).abs() < 1e-9);
        let close = |part: f64, value: f64| {
            let quantile = new.quantile(part).unwrap();
            assert!((quantile - value).abs() < 1e-9, "{part}: {quantile}");
        };
        // 10 below 0.1, 80 between 0.1 and 0.2, 10 above.
        close(0.05, 0.05);
        close(0.5, 0.15);
        close(0.9, 0.2);
        close(0.99, 0.2);
        assert_eq!(after.histogram(&after, "h").unwrap().quantile(0.5), None);
        assert!(after.histogram(&before, "g").is_none());
        assert_eq!(new.parts(), [(0.1, 0.1), (0.2, 0.9)]);
    }

    #[test]
    fn a_histogram_with_labels_is_added_up() {
        let text = "h_bucket{phase=\"a\",le=\"1\"} 1\nh_bucket{phase=\"b\",le=\"1\"} 2\nh_bucket{phase=\"a\",le=\"+Inf\"} 4\nh_bucket{phase=\"b\",le=\"+Inf\"} 4\n";
        let histogram = Scrape::read(text)
            .histogram(&Scrape::default(), "h")
            .unwrap();
        assert_eq!(histogram.buckets, [(1.0, 3.0), (f64::INFINITY, 8.0)]);
    }
}
