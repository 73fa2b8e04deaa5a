//! Which traces are kept: a part of them, by their id.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

/// Keeps a part of the traces by their id, and none of those that the caller does not keep.
///
/// Not the SDK's own ratio: that one takes an id for random where ours are often the flow's id,
/// whose version and variant stand at fixed places. A hash of the whole id has no such places.
#[derive(Clone, Debug)]
pub(super) struct ById {
    ratio: f64,
}

impl ById {
    pub(super) fn new(ratio: f64) -> Self {
        Self { ratio }
    }

    fn keeps(&self, trace: TraceId) -> bool {
        let place = kernel::stable_hash(&trace.to_bytes()) as f64 / u64::MAX as f64;
        self.ratio >= 1.0 || place < self.ratio
    }
}

impl ShouldSample for ById {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let parent = parent.map(|context| context.span().span_context().clone());
        let parent = parent.filter(|span| span.is_valid());
        let left_out = parent.as_ref().is_some_and(|span| !span.is_sampled());
        SamplingResult {
            decision: match !left_out && self.keeps(trace_id) {
                true => SamplingDecision::RecordAndSample,
                false => SamplingDecision::Drop,
            },
            attributes: Vec::new(),
            trace_state: parent.map_or_else(TraceState::default, |span| span.trace_state().clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_keeps_that_part_of_the_traces_whose_ids_are_uuids() {
        // As the environment makes them: time first, then version, counter, variant, randomness.
        let ids = (0..20_000_u64).map(|n| {
            let random = kernel::stable_hash(&n.to_be_bytes());
            let (high, low) = (0x019b_76da_a800_7000 | n & 0xfff, 0x8000_0000_0000_0000 | random >> 2);
            TraceId::from(u128::from(high) << 64 | u128::from(low))
        });
        let ids: Vec<TraceId> = ids.collect();
        for ratio in [0.0, 0.01, 0.25, 0.5, 0.75, 1.0] {
            let kept = ids.iter().filter(|id| ById::new(ratio).keeps(**id)).count();
            let part = kept as f64 / ids.len() as f64;
            assert!((part - ratio).abs() < 0.02, "{part} of the traces are kept, {ratio} are wanted");
        }
    }
}
