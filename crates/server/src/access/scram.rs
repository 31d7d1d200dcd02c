//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side: a client shows that it has a token, and
//! the token is neither sent nor kept. What is kept can check a proof, and cannot make one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::secret::{random, same};

/// How often a token is hashed. It is random, so that this needs no more than clients insist on.
const ITERATIONS: u32 = 4096;
/// The longest message of a client.
const MESSAGE_BYTES_MAX: usize = 4096;

/// What is kept of a token for SCRAM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifier {
    iterations: u32,
    salt: String,
    stored_key: String,
    server_key: String,
}

/// Why a client is not let in: it says too little, or the proof is of another token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScramError {
    /// The message is not one of the protocol, or asks for what is not supported.
    Message(&'static str),
    /// The proof is wrong.
    Proof,
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length: there is no error to meet.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// `Hi` of the RFC.
fn salted(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut last = hmac(password, &[salt, &1u32.to_be_bytes()]);
    let mut all = last;
    for _ in 1..iterations {
        last = hmac(password, &[&last]);
        all.iter_mut().zip(last).for_each(|(into, from)| *into ^= from);
    }
    all
}

impl Verifier {
    /// Of a token, with a salt of its own.
    pub fn of(token: &str) -> Self {
        Self::with(token, &random()[..16], ITERATIONS)
    }

    fn with(token: &str, salt: &[u8], iterations: u32) -> Self {
        let salted = salted(token.as_bytes(), salt, iterations);
        let client_key = hmac(&salted, &[b"Client Key"]);
        Self {
            iterations,
            salt: STANDARD.encode(salt),
            stored_key: STANDARD.encode(Sha256::digest(client_key)),
            server_key: STANDARD.encode(hmac(&salted, &[b"Server Key"])),
        }
    }

    /// One that no token fits, and that looks like any other to who asks for a name that is not
    /// there: the same name has the same salt for as long as the server runs.
    pub fn decoy(name: &str, key: &[u8; 32]) -> Self {
        Self {
            iterations: ITERATIONS,
            salt: STANDARD.encode(&hmac(key, &[b"salt", name.as_bytes()])[..16]),
            stored_key: STANDARD.encode(hmac(key, &[b"stored", name.as_bytes()])),
            server_key: STANDARD.encode(hmac(key, &[b"server", name.as_bytes()])),
        }
    }

    fn key(text: &str) -> [u8; 32] {
        let bytes = STANDARD.decode(text).unwrap_or_default();
        // What was written by somebody else fits no proof.
        bytes.try_into().unwrap_or_else(|_| random())
    }
}

/// An exchange that has begun: the server has answered the client's first message.
#[derive(Debug)]
pub struct Exchange {
    verifier: Verifier,
    binding: String,
    nonce: String,
    /// The client's first message and the server's, as both sign them.
    begun: String,
    server_first: String,
}

impl Exchange {
    /// Reads the client's first message.
    pub fn begin(message: &[u8], verifier: Verifier) -> Result<Self, ScramError> {
        let nonce = STANDARD.encode(&random()[..18]);
        Self::begin_with(message, verifier, &nonce)
    }

    fn begin_with(message: &[u8], verifier: Verifier, own: &str) -> Result<Self, ScramError> {
        let message = text(message)?;
        let wrong = ScramError::Message;
        let mut parts = message.splitn(3, ',');
        let (flag, identity) = (parts.next().unwrap_or_default(), parts.next());
        let bare = parts.next().ok_or(wrong("the first message of SCRAM breaks off"))?;
        if flag.starts_with("p=") {
            return Err(wrong("channel binding is not supported"));
        }
        if !matches!(flag, "n" | "y") || identity.is_some_and(|a| !a.is_empty()) {
            return Err(wrong("the first message of SCRAM is not supported"));
        }
        let mut fields = bare.split(',');
        let name = fields.next().unwrap_or_default();
        let nonce = fields.next().and_then(|field| field.strip_prefix("r="));
        let nonce = nonce.filter(|nonce| !nonce.is_empty() && name.starts_with("n="));
        let nonce = nonce.ok_or(wrong("the first message of SCRAM has no name or no nonce"))?;
        let nonce = format!("{nonce}{own}");
        let (salt, iterations) = (&verifier.salt, verifier.iterations);
        let server_first = format!("r={nonce},s={salt},i={iterations}");
        Ok(Self {
            binding: STANDARD.encode(format!("{flag},,")),
            begun: format!("{bare},{server_first}"),
            nonce,
            server_first,
            verifier,
        })
    }

    /// What the client is told first.
    pub fn server_first(&self) -> &str {
        &self.server_first
    }

    /// Reads the client's last message: answers the server's, if the proof is right.
    pub fn end(&self, message: &[u8]) -> Result<String, ScramError> {
        let message = text(message)?;
        let wrong = ScramError::Message;
        let (unproven, proof) =
            message.rsplit_once(",p=").ok_or(wrong("the last message of SCRAM has no proof"))?;
        let mut fields = unproven.split(',');
        let binding = fields.next().and_then(|field| field.strip_prefix("c="));
        let nonce = fields.next().and_then(|field| field.strip_prefix("r="));
        if binding != Some(&self.binding) || nonce != Some(&self.nonce) {
            return Err(wrong("the last message of SCRAM is not of this exchange"));
        }
        let proof = STANDARD.decode(proof).ok().and_then(|p| <[u8; 32]>::try_from(p).ok());
        let mut key = proof.ok_or(ScramError::Proof)?;
        let stored_key = Verifier::key(&self.verifier.stored_key);
        let signed = [self.begun.as_bytes(), b",", unproven.as_bytes()];
        let signature = hmac(&stored_key, &signed);
        key.iter_mut().zip(signature).for_each(|(into, from)| *into ^= from);
        if !same(&Sha256::digest(key).into(), &stored_key) {
            return Err(ScramError::Proof);
        }
        let server_key = Verifier::key(&self.verifier.server_key);
        Ok(format!("v={}", STANDARD.encode(hmac(&server_key, &signed))))
    }
}

fn text(message: &[u8]) -> Result<&str, ScramError> {
    let short = message.get(..MESSAGE_BYTES_MAX + 1).is_none();
    let text = std::str::from_utf8(message).ok().filter(|_| short);
    text.ok_or(ScramError::Message("a message of SCRAM is no text, or too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange that RFC 7677 gives.
    fn exchange() -> Exchange {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = Verifier::with("pencil", &salt, 4096);
        let first = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
        Exchange::begin_with(first, verifier, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0").unwrap()
    }

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

    #[test]
    fn the_example_of_the_rfc() {
        let exchange = exchange();
        let first = format!("r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        assert_eq!(exchange.server_first(), first);
        let last = format!("c=biws,r={NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let answer = exchange.end(last.as_bytes());
        assert_eq!(answer.as_deref(), Ok("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    }

    #[test]
    fn another_proof_nonce_or_binding_is_refused() {
        let exchange = exchange();
        let proof = "eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let end = |last: String| exchange.end(last.as_bytes()).unwrap_err();
        assert_eq!(end(format!("c=biws,r={NONCE},p={proof}")), ScramError::Proof);
        assert_eq!(end(format!("c=biws,r={NONCE},p=")), ScramError::Proof);
        let right = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        for last in [
            format!("c=biws,r={NONCE}x,p={right}"),
            format!("c=eSws,r={NONCE},p={right}"),
            format!("c=biws,r={NONCE}"),
            String::new(),
        ] {
            assert!(matches!(end(last), ScramError::Message(_)));
        }
    }

    #[test]
    fn a_first_message_that_is_none_is_refused() {
        let verifier = Verifier::decoy("x", &[7; 32]);
        let long = "r".repeat(5000);
        for first in
            ["", "n", "n,,", "n,,n=a", "n,,n=a,r=", "p=tls,,n=a,r=b", "n,a=x,n=a,r=b", &long]
        {
            let begun = Exchange::begin(first.as_bytes(), verifier.clone());
            assert!(matches!(begun, Err(ScramError::Message(_))), "{first}");
        }
        assert!(Exchange::begin(b"n,,n=a,r=\xff", verifier.clone()).is_err());
        // Nobody gets in by a name that is not there, and sees no other salt the second time.
        let again = Verifier::decoy("x", &[7; 32]);
        assert_eq!(verifier, again);
        assert_ne!(verifier, Verifier::decoy("y", &[7; 32]));
    }

    #[test]
    fn two_verifiers_of_one_token_have_nothing_in_common() {
        let (one, two) = (Verifier::of("t"), Verifier::of("t"));
        assert_ne!(one.salt, two.salt);
        assert_ne!(one.stored_key, two.stored_key);
    }
}
