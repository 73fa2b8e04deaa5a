//! Traces: one picture of all that a request set in motion. A W3C trace context travels as text
//! (`traceparent`) in requests, events, sagas, calls and timers, whether traces are kept or not;
//! how a span is joined to one where they are kept, the binary knows.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::Arc;

use tracing::Span;

use crate::workspace::Workspace;

/// How spans and trace contexts belong together.
#[derive(Clone, Copy, Debug)]
pub struct Hooks {
    /// Makes a span the first of the trace with this id.
    pub begin: fn(&Span, u128),
    /// Makes a span a child in the trace of a `traceparent`; a text that is none changes nothing.
    pub join: fn(&Span, &str),
    /// The `traceparent` of a span; `None` where the span is not kept.
    pub context: fn(&Span) -> Option<String>,
}

/// Whether traces are kept, and how. Where they are not, no span is made for them and contexts
/// pass through unchanged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracing(Option<Hooks>);

impl Tracing {
    /// No traces are kept.
    pub const OFF: Self = Self(None);

    /// Traces are kept.
    pub fn on(hooks: Hooks) -> Self {
        Self(Some(hooks))
    }

    /// True where traces are kept: only then a span is worth making for them.
    pub fn is_on(self) -> bool {
        self.0.is_some()
    }

    /// Makes `span` the first of a trace; gives the context to pass on, where it is kept.
    pub fn begin(self, span: &Span, trace: u128) -> Option<String> {
        let hooks = self.0?;
        (hooks.begin)(span, trace);
        (hooks.context)(span)
    }

    /// Makes `span` a child of `parent`; gives the context to pass on: the span's own, or the
    /// parent's unchanged where the span is not kept.
    pub fn join(self, span: &Span, parent: Option<&str>) -> Option<String> {
        let own = self.0.and_then(|hooks| {
            if let Some(parent) = parent {
                (hooks.join)(span, parent);
            }
            (hooks.context)(span)
        });
        own.or_else(|| parent.map(str::to_owned))
    }
}

impl Workspace<'_> {
    /// What nothing of a trace set in motion (an older program's timer, say) belongs to the trace
    /// of what it moves.
    pub(crate) fn continue_trace(&mut self, traceparent: Option<&String>) {
        if self.origin.traceparent.is_none() && traceparent.is_some() {
            Arc::make_mut(&mut self.origin).traceparent = traceparent.cloned();
        }
    }
}

/// The trace's id in a `traceparent`, as it stands there.
pub fn id_of(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1)
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Puts back what was there before.
struct Entered(Option<Arc<str>>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Runs `task` so that the calls made in it continue this trace, whoever makes them: the context
/// is there whenever the task is polled, and nowhere else.
pub async fn within<T>(traceparent: Option<&str>, task: impl Future<Output = T>) -> T {
    let traceparent: Option<Arc<str>> = traceparent.map(Into::into);
    let mut task = pin!(task);
    std::future::poll_fn(move |context| {
        let _entered = Entered(CURRENT.replace(traceparent.clone()));
        task.as_mut().poll(context)
    })
    .await
}

/// The trace context of the task that runs, where it has one.
pub fn current() -> Option<Arc<str>> {
    CURRENT.with_borrow(Clone::clone)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const ONE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_task_sees_its_own_context_and_no_other_task_does() {
        let (resume, resumed) = futures::channel::oneshot::channel::<()>();
        let mut task = Box::pin(within(Some(ONE), async move {
            let before = current();
            let inner = within(None, async { current() }).await;
            resumed.await.unwrap();
            (before, inner, current())
        }));
        assert!(task.as_mut().now_or_never().is_none());
        assert_eq!(current(), None, "it waits, and what runs meanwhile is somebody else");
        resume.send(()).unwrap();
        let (before, inner, after) = task.now_or_never().unwrap();
        assert_eq!((before.as_deref(), inner, after.as_deref()), (Some(ONE), None, Some(ONE)));
    }

    #[test]
    fn where_no_traces_are_kept_a_context_passes_through_unchanged() {
        assert_eq!(Tracing::OFF.join(&Span::none(), Some(ONE)).as_deref(), Some(ONE));
        assert_eq!(Tracing::OFF.join(&Span::none(), None), None);
        assert_eq!(Tracing::OFF.begin(&Span::none(), 7), None);
        assert_eq!(id_of(ONE), Some("0af7651916cd43dd8448eb211c80319c"));
    }

    #[test]
    fn what_is_passed_on_is_the_context_of_the_span_that_is_kept() {
        let own = |_: &Span| Some("00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01".to_owned());
        let kept = Tracing::on(Hooks { begin: |_, _| (), join: |_, _| (), context: own });
        assert_ne!(kept.join(&Span::none(), Some(ONE)).as_deref(), Some(ONE));
        let left_out = Tracing::on(Hooks { begin: |_, _| (), join: |_, _| (), context: |_| None });
        assert_eq!(left_out.join(&Span::none(), Some(ONE)).as_deref(), Some(ONE));
    }
}
