//! Context `auth`: proofs of who somebody is.

use kernel::{ChallengeId, Personal, Timestamp, UserId};

use crate::event_macro::{choice, event};

choice! {
    /// What a challenge proves.
    pub enum ChallengeKind {
        /// That a mail address is theirs.
        VerifyEmail = "verify-email",
        /// That they may choose a new password.
        ResetPassword = "reset-password",
    }
}

event! {
    "auth.challenge.issued.v1" by "auth", to ["notification"], keyed by user_id, about user_id;
    /// A token is to be sent to a person, who proves by it that the message reached them.
    pub struct ChallengeIssued {
        /// The challenge.
        challenge_id: ChallengeId,
        /// The account.
        user_id: UserId,
        /// What it proves.
        kind: ChallengeKind,
        /// What the message carries: good once. A secret, which is why it is encrypted like a personal field.
        token: Personal<String>,
        /// Until when it is good.
        expires_at: Timestamp,
    }
}
