//! A way to a server that can be broken: cut, closed, deaf (what is sent arrives, and no answer comes
//! back), or lossy.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Carries connections to a server until it is dropped.
#[derive(Debug)]
pub struct Way {
    here: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_over: AtomicBool,
    is_closed: AtomicBool,
    is_deaf: AtomicBool,
    bytes_to_lose: AtomicUsize,
    /// Both ends of every connection.
    ends: Mutex<Vec<TcpStream>>,
}

impl Way {
    /// A way to `there`, `HOST:PORT`.
    pub fn to(there: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let here = listener.local_addr().expect("it listens");
        let (state, there) = (Arc::new(State::default()), there.to_owned());
        let serving = state.clone();
        std::thread::spawn(move || serving.serve(&listener, &there));
        Self { here, state }
    }

    /// Where it begins: `HOST:PORT`.
    pub fn address(&self) -> String {
        self.here.to_string()
    }

    /// Whether what is sent arrives and no answer comes back.
    pub fn set_deaf(&self, is_deaf: bool) {
        self.state.is_deaf.store(is_deaf, Ordering::SeqCst);
    }

    /// Loses so many bytes of what is sent from now on, and then the connection.
    pub fn lose(&self, bytes: usize) {
        self.state.bytes_to_lose.store(bytes, Ordering::SeqCst);
    }

    /// Ends every connection that goes this way now.
    pub fn cut(&self) {
        self.state.end_all();
    }

    /// Ends every connection, and lets none through until it is opened.
    pub fn close(&self) {
        self.state.is_closed.store(true, Ordering::SeqCst);
        self.state.end_all();
    }

    /// Lets connections through again.
    pub fn open(&self) {
        self.state.is_closed.store(false, Ordering::SeqCst);
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        self.state.end_all();
        // Whoever waits for connections hears of it by one.
        let _ = TcpStream::connect(self.here);
    }
}

impl State {
    fn serve(self: Arc<Self>, listener: &TcpListener, there: &str) {
        for near in listener.incoming() {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let Ok(near) = near else { continue };
            if self.is_closed.load(Ordering::SeqCst) {
                continue;
            }
            let Ok(far) = TcpStream::connect(there) else { continue };
            // Small messages wait for nobody.
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let copies = [&near, &far, &near, &far].map(TcpStream::try_clone);
            let [Ok(near_end), Ok(far_end), Ok(to_near), Ok(to_far)] = copies else { continue };
            self.ends().extend([near_end, far_end]);
            // Closed in between, it would stay.
            if self.is_closed.load(Ordering::SeqCst) {
                self.end_all();
            }
            let (sending, answering) = (self.clone(), self.clone());
            std::thread::spawn(move || carry(near, to_far, |buffer| sending.lets_send(buffer)));
            std::thread::spawn(move || carry(far, to_near, |_| answering.lets_answer()));
        }
    }

    fn ends(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_all(&self) {
        for end in self.ends().drain(..) {
            // It may have ended by itself.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Whether the connection goes on with what was sent, which is emptied where it is lost.
    fn lets_send(&self, sent: &mut Vec<u8>) -> bool {
        let left = self.bytes_to_lose.load(Ordering::SeqCst);
        if left == 0 {
            return true;
        }
        let count = sent.len();
        self.bytes_to_lose.store(left.saturating_sub(count), Ordering::SeqCst);
        sent.clear();
        left > count
    }

    /// A stream with a hole cannot be mended: once deaf, the connection ends when it hears again.
    fn lets_answer(&self) -> bool {
        let was_deaf = self.is_deaf.load(Ordering::SeqCst);
        while self.is_deaf.load(Ordering::SeqCst) && !self.is_over.load(Ordering::SeqCst) {
            std::thread::sleep(LOOK_PAUSE);
        }
        !was_deaf
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, mut goes_on: impl FnMut(&mut Vec<u8>) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut carried = buffer[..count].to_vec();
        if !goes_on(&mut carried) || to.write_all(&carried).is_err() {
            break;
        }
    }
    for end in [&from, &to] {
        // The other direction may have ended it.
        let _ = end.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::Way;

    /// A server that answers with what it is sent, and a way to it.
    fn echo() -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut back = stream.try_clone().unwrap();
                std::thread::spawn(move || std::io::copy(&mut stream, &mut back));
            }
        });
        Way::to(&there)
    }

    fn say(stream: &mut TcpStream, word: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut answer = vec![0; word.len()];
        stream.write_all(word)?;
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn a_way_carries_until_it_is_cut_and_lets_nobody_through_while_it_is_closed() {
        let way = echo();
        let connect = || TcpStream::connect(way.address()).unwrap();
        let mut first = connect();
        assert_eq!(say(&mut first, b"one").unwrap(), b"one");
        way.cut();
        assert!(say(&mut first, b"two").is_err());
        assert_eq!(say(&mut connect(), b"three").unwrap(), b"three");
        way.close();
        assert!(say(&mut connect(), b"four").is_err());
        way.open();
        assert_eq!(say(&mut connect(), b"five").unwrap(), b"five");
        way.lose(2);
        assert!(say(&mut connect(), b"six").is_err());
        assert_eq!(say(&mut connect(), b"seven").unwrap(), b"seven");
    }
}
