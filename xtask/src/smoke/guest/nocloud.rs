//! The server that tells a fresh image who may log in: cloud-init's NoCloud, on loopback, where QEMU's own network has the
//! guest reach it as 10.0.2.2.
//!
//! It serves a few texts, to one client at a time, and ends with the value that stands for it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// No request that cloud-init makes is longer.
const LONGEST_REQUEST: usize = 8 * 1024;
/// How long one client may take.
const PATIENCE: Duration = Duration::from_secs(5);
const SLICE: Duration = Duration::from_millis(200);

/// Texts by path.
pub type Texts = BTreeMap<&'static str, String>;

/// What a guest is told: its name, and the key that logs root in.
pub fn texts(public_key: &str) -> Texts {
    let key = public_key.trim();
    let user = format!(
        "#cloud-config\n\
         disable_root: false\n\
         write_files:\n\
         - path: /root/.ssh/authorized_keys\n\
         \x20 owner: root:root\n\
         \x20 permissions: '0600'\n\
         \x20 content: |\n\
         \x20   {key}\n"
    );
    let meta = "instance-id: vboxsvc-smoke\nlocal-hostname: smoke\n".to_string();
    [("/meta-data", meta), ("/user-data", user), ("/vendor-data", String::new())].into()
}

#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(texts: Texts) -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let ends = Arc::new(AtomicBool::new(false));
        let told = ends.clone();
        let thread = thread::spawn(move || {
            for client in listener.incoming() {
                if told.load(Ordering::Relaxed) {
                    return;
                }
                // A client that breaks off or says nonsense asks again, or does not: it is the guest's to complain.
                let _ = client.and_then(|client| serve(client, &texts));
            }
        });
        Ok(Server { address, ends, thread: Some(thread) })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // It waits for a client: it gets one, and then sees that it is to end. Without one it would be waited for in vain.
        if TcpStream::connect(self.address).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

fn serve(mut client: TcpStream, texts: &Texts) -> io::Result<()> {
    client.set_read_timeout(Some(SLICE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let request = request(&mut client)?;
    client.write_all(answer(&request, texts).as_bytes())
}

/// The head of a request, as far as it comes in time.
fn request(client: &mut TcpStream) -> io::Result<String> {
    let until = Instant::now() + PATIENCE;
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while Instant::now() < until && head.len() < LONGEST_REQUEST && !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match client.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => head.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn answer(request: &str, texts: &Texts) -> String {
    let mut words = request.lines().next().unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_whole = request.contains("\r\n\r\n");
    let (status, text) = match (method, texts.get(path)) {
        _ if !is_whole => ("400 Bad Request", ""),
        ("GET" | "HEAD", Some(text)) => ("200 OK", text.as_str()),
        ("GET" | "HEAD", None) => ("404 Not Found", ""),
        _ => ("405 Method Not Allowed", ""),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    if method == "HEAD" { head } else { head + text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(server: &Server, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        // A server that has read enough closes, and then neither succeeds.
        let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn the_texts_are_served_and_nothing_else_is() {
        let server = Server::start(texts("ssh-ed25519 AAAA smoke\n")).unwrap();
        let user = asked(&server, "GET /user-data HTTP/1.1\r\nHost: 10.0.2.2\r\n\r\n");
        let (head, body) = user.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains(&format!("Content-Length: {}", body.len())));
        assert!(body.starts_with("#cloud-config\n") && body.ends_with("  content: |\n    ssh-ed25519 AAAA smoke\n"));
        assert!(asked(&server, "GET /meta-data HTTP/1.1\r\n\r\n").contains("instance-id: "));
        assert!(asked(&server, "GET /vendor-data HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
        for (request, status) in [
            ("GET /../etc/passwd HTTP/1.1\r\n\r\n", "404"),
            ("PUT /user-data HTTP/1.1\r\n\r\n", "405"),
            ("GET /user-data HTTP/1.1", "400"),
            ("\0\u{ff}", "400"),
        ] {
            assert!(asked(&server, request).starts_with(&format!("HTTP/1.1 {status}")), "{request}");
        }
        assert!(asked(&server, &"x".repeat(3 * LONGEST_REQUEST)).len() < 200, "it does not read on for ever");
        let port = server.port();
        drop(server);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "it has ended");
    }
}
