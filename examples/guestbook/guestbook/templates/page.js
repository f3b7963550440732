const $ = (id) => document.getElementById(id);

function show({ id, html }) {
  const known = $(`entry-${id}`);
  if (known) known.outerHTML = html;
  else $("entries").insertAdjacentHTML("afterbegin", html);
}

// One socket for news. When its server goes away the browser asks again, and meets whichever version is live now.
function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws?live=1`);
  socket.onopen = () => socket.send("hello");
  socket.onmessage = ({ data }) => (data.startsWith("{") ? show(JSON.parse(data)) : greet(data.split(":")[0]));
  socket.onclose = () => {
    $("state").textContent = "reconnecting …";
    $("state").classList.remove("on");
    setTimeout(connect, 300);
  };
}

function greet(version) {
  $("state").textContent = `live from ${version}`;
  $("state").classList.add("on");
  $("news").hidden = version === $("version").textContent;
  $("news").textContent = `${version} is live now. Show it`;
}

$("form").onsubmit = async (event) => {
  event.preventDefault();
  const sent = Object.fromEntries(new FormData(event.target));
  const answer = await fetch("/api/entries", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(sent),
  }).catch(() => ({ ok: false }));
  $("error").textContent = answer.ok ? "" : "That did not work, please try again.";
  if (answer.ok) event.target.reset();
};

connect();
