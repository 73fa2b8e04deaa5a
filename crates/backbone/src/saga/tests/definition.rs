//! What the builder refuses (reliability.md, rule 29).

use super::*;

fn compensatable(name: &'static str) -> Step<Trip> {
    Step::compensatable(name, |_, _| Vec::new(), Undo::nothing())
}

fn pivot(name: &'static str) -> Step<Trip> {
    Step::pivot(name, |_, _| Vec::new())
}

fn retriable(name: &'static str) -> Step<Trip> {
    Step::retriable(name, |_, _| Vec::new())
}

fn refused(steps: Vec<Step<Trip>>) -> DefinitionError {
    Definition::build(steps).err().expect("it is refused")
}

#[test]
fn a_saga_without_steps_is_refused() {
    assert_eq!(refused(Vec::new()), DefinitionError::Empty("trip"));
}

#[test]
fn a_compensatable_step_after_the_pivot_is_refused() {
    let error = refused(vec![compensatable("a"), pivot("p"), compensatable("b")]);
    assert_eq!(error, DefinitionError::CompensatableAfterPivot("trip", "b"));
    assert!(error.to_string().contains("move it before"));
}

#[test]
fn a_second_pivot_is_refused() {
    let error = refused(vec![pivot("p"), retriable("r"), pivot("q")]);
    assert_eq!(error, DefinitionError::SecondPivot("trip", "q"));
}

#[test]
fn a_retriable_step_before_the_pivot_is_refused() {
    let error = refused(vec![compensatable("a"), retriable("r"), pivot("p")]);
    assert_eq!(error, DefinitionError::RetriableBeforePivot("trip", "r", "p"));
}

#[test]
fn two_steps_of_one_name_are_refused() {
    assert_eq!(
        refused(vec![compensatable("a"), compensatable("a")]),
        DefinitionError::NameTwice("trip", "a")
    );
}

#[test]
fn a_possible_saga_names_its_steps_in_order() {
    let steps = vec![compensatable("a"), pivot("p"), retriable("r")];
    assert_eq!(Definition::build(steps).ok().unwrap().step_names(), ["a", "p", "r"]);
}
