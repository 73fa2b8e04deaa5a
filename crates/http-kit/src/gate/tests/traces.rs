//! How a request's span joins its trace, with hooks that write down what they are told.

use std::cell::RefCell;

use backbone::trace::Hooks;

use super::*;
use crate::testing::PlainTokens;

const TOLD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OWN: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
const FLOW: &str = "01941f29-7c00-7000-8000-000000000001";

thread_local! {
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn standing(context: fn(&tracing::Span) -> Option<String>) -> Router {
    let hooks = Hooks {
        begin: |_, trace| SEEN.with_borrow_mut(|seen| seen.push(format!("begins {trace:032x}"))),
        join: |_, parent| SEEN.with_borrow_mut(|seen| seen.push(format!("joins {parent}"))),
        context,
    };
    let tokens = Arc::new(PlainTokens::permitting([]));
    let gate = Gate { tracing: Tracing::on(hooks), ..Gate::new(tokens, HandMade::running().environment()) };
    router([("thing", routes())], &gate).unwrap()
}

#[tokio::test]
async fn what_follows_from_a_request_follows_from_its_span() {
    let router = standing(|_| Some(OWN.to_owned()));
    let begun = "begins 01941f297c0070008000000000000001".to_owned();
    for (header, seen) in
        [(("traceparent", TOLD), format!("joins {TOLD}")), (("x-correlation-id", FLOW), begun)]
    {
        let reply = post_to(&router, GOOD, &[JSON, header]).await;
        assert_eq!(reply.body["traceparent"], OWN, "{:?}", reply.body);
        assert_eq!(SEEN.take(), [seen]);
    }
}

#[tokio::test]
async fn a_trace_that_is_not_kept_is_passed_on_as_it_came() {
    let reply = post_to(&standing(|_| None), GOOD, &[JSON, ("traceparent", TOLD)]).await;
    assert_eq!(reply.body["traceparent"], TOLD);
}
