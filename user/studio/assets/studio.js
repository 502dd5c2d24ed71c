"use strict";
/*
 * The studio's page. The token lives in one variable of this closure: not in a URL, a cookie or a
 * store. Whatever hosts call themselves reaches the page as text only (the answer's policy forbids
 * everything else). Uploaded pages are shown in a sandboxed frame that cannot reach this one.
 */
(() => {
const POLL_MS = 1500;
const byId = id => document.getElementById(id);

let token = null;
let timer = 0;
let clockAhead = 0; /* studio's clock minus ours */
let profiles = [];
let shown = null; /* id in the viewer */

/* ---- texts ---- */

/* Controls, line separators and direction marks are spelled out: a name must not disguise itself. */
const visible = text => String(text ?? "").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu,
	c => `\u2039U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u203a`);
const now = () => Date.now() + clockAhead;
const count = n => Number(n).toLocaleString("en-US");

function age(ms) {
	const s = Math.max(0, Math.round(ms / 1000));
	if (s < 2) return "now";
	if (s < 120) return `${s} s ago`;
	if (s < 7200) return `${Math.floor(s / 60)} min ago`;
	if (s < 172800) return `${Math.floor(s / 3600)} h ago`;
	return `${Math.floor(s / 86400)} days ago`;
}

function time(ms) {
	const d = new Date(ms), two = n => String(n).padStart(2, "0");
	return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ` +
		`${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

const seconds = p => p.end_ms > p.start_ms ? `${count((p.end_ms - p.start_ms) / 1000)} s` : "–";

/* ---- the studio's answers ---- */

async function call(path, body) {
	const headers = { Authorization: `Bearer ${token}` };
	if (body)
		headers["Content-Type"] = "application/json";
	const answer = await fetch(path, {
		method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body),
		cache: "no-store", credentials: "omit", redirect: "error",
	});
	if (answer.status === 401) {
		leave("The studio does not know this token.");
		throw new Error("unauthorized");
	}
	if (!answer.ok)
		throw new Error(await reason(answer));
	return answer;
}

async function reason(answer) {
	const text = await answer.text();
	try {
		const json = JSON.parse(text);
		if (Array.isArray(json.detail))
			return json.detail.map(d => `${d.loc.at(-1)}: ${d.msg}`).join("; ");
		return json.message || text;
	} catch {
		return `${answer.status} ${text.slice(0, 200)}`;
	}
}

function complain(text) {
	byId("banner").textContent = text ? visible(text) : "";
	byId("banner").hidden = !text;
}

/* ---- tables: rows keep their elements, so that a press of a button never misses ---- */

function cell(row, className) {
	const td = row.insertCell();
	td.className = className || "";
	return td;
}

function put(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
}

function add(parent, tag, className) {
	const element = document.createElement(tag);
	if (className)
		element.className = className;
	parent.append(element);
	return element;
}

function fill(body, items, keyOf, make, update) {
	const old = new Map(Array.from(body.rows, row => [row.dataset.key, row]));
	items.forEach((item, i) => {
		const key = keyOf(item);
		let row = old.get(key);
		old.delete(key);
		if (!row) {
			row = document.createElement("tr");
			row.dataset.key = key;
			row.parts = make(row);
		}
		if (body.rows[i] !== row)
			body.insertBefore(row, body.rows[i] || null);
		row.item = item;
		update(row.parts, item);
	});
	old.forEach(row => row.remove());
}

function makeHost(row) {
	const name = cell(row, "name"), parts = { name: add(name, "b"), address: add(name, "span") };
	parts.service = cell(row, "text");
	parts.agent = cell(row, "text");
	parts.seen = cell(row);
	const state = cell(row, "state");
	parts.badge = add(state, "span");
	parts.sub = add(state, "span");
	parts.result = add(state, "a");
	parts.progress = add(state, "progress");
	const actions = cell(row);
	parts.stop = add(actions, "button", "quiet stop");
	parts.start = add(actions, "button", "start");
	parts.stop.textContent = "Stop";
	parts.start.textContent = "Profile";
	parts.start.addEventListener("click", () => order(row, "start"));
	parts.stop.addEventListener("click", () => order(row, "stop"));
	return parts;
}

function updateHost(parts, host) {
	const command = host.command;
	put(parts.name, visible(host.hostname));
	parts.name.title = visible(host.hostname);
	put(parts.address, visible(host.address));
	put(parts.service, visible(host.service));
	put(parts.agent, visible(host.agent_version || "–"));
	put(parts.seen, age(now() - host.last_seen_ms));
	put(parts.badge, host.continuous && host.state === "profiling" ? "profiling, continuous" : host.state);
	parts.badge.className = `badge ${host.state}`;
	updateRun(parts, host, command);
	parts.stop.hidden = !(host.state === "profiling" || (host.state === "waiting" && command?.type === "start"));
	parts.start.hidden = host.state === "profiling" && host.continuous;
}

/* What became of the newest command, in a few words. */
function updateRun(parts, host, command) {
	let text = "", bad = false, done = -1;
	if (host.state === "waiting") {
		text = command?.type === "stop" ? "stop at its next heartbeat" : "starts at its next heartbeat";
	} else if (host.state === "profiling" && !host.continuous && command?.begun_ms) {
		const left = command.begun_ms + command.duration_s * 1000 - now();
		done = Math.min(1, Math.max(0, 1 - left / (command.duration_s * 1000)));
		text = left > 0 ? `${Math.ceil(left / 1000)} s left` : "waiting for the profile";
	} else if (command?.status === "failed") {
		text = `failed: ${command.error || "no reason given"}`;
		bad = true;
	} else if (command?.status === "expired") {
		text = "the last order expired: the host did not fetch it within 10 minutes";
		bad = true;
	}
	put(parts.sub, visible(text));
	parts.sub.className = bad ? "sub bad" : "sub";
	parts.progress.hidden = done < 0;
	parts.progress.value = Math.max(0, done);
	parts.result.hidden = !command?.profile;
	if (command?.profile) {
		parts.result.href = `#profile/${command.profile}`;
		put(parts.result, "last flame graph");
	}
}

function makeProfile(row) {
	const start = cell(row), name = cell(row, "text"), parts = { start, name };
	parts.service = cell(row, "text");
	parts.length = cell(row, "num");
	parts.samples = cell(row, "num");
	parts.stacks = cell(row, "num");
	const complete = cell(row);
	parts.meter = add(complete, "meter");
	parts.meter.max = 100;
	parts.complete = add(complete, "span", "sub");
	parts.open = add(cell(row), "a", "button quiet open");
	parts.open.textContent = "Open";
	return parts;
}

function updateProfile(parts, profile) {
	put(parts.start, time(profile.start_ms));
	parts.start.title = `${new Date(profile.start_ms).toISOString()}, received ${age(now() - profile.received_ms)}`;
	put(parts.name, visible(profile.hostname));
	parts.name.title = visible(profile.hostname);
	put(parts.service, visible(profile.service));
	put(parts.length, seconds(profile) + (profile.continuous ? " ∞" : ""));
	put(parts.samples, count(profile.samples) + (profile.lines_skipped ? " ⚠" : ""));
	parts.samples.title = profile.lines_skipped ? `${count(profile.lines_skipped)} bad lines were left out` : "";
	put(parts.stacks, count(profile.stacks));
	const known = profile.complete_pct !== null;
	parts.meter.hidden = !known;
	parts.meter.value = known ? profile.complete_pct : 0;
	put(parts.complete, known ? `${profile.complete_pct.toFixed(1)} %` : "no user stacks");
	parts.open.href = `#profile/${profile.id}`;
}

function matches(item) {
	const wanted = byId("filter").value.trim().toLowerCase();
	return !wanted || `${item.hostname}\n${item.service}`.toLowerCase().includes(wanted);
}

let hosts = [];
function draw(evicted) {
	fill(byId("hosts"), hosts.filter(matches), h => JSON.stringify([h.hostname, h.service]), makeHost, updateHost);
	fill(byId("profiles"), profiles.filter(matches), p => String(p.id), makeProfile, updateProfile);
	byId("no-hosts").hidden = hosts.length > 0;
	byId("no-profiles").hidden = profiles.length > 0;
	put(byId("host-count"), hosts.length ? count(hosts.length) : "");
	put(byId("profile-count"), profiles.length ? count(profiles.length) : "");
	if (evicted !== undefined) {
		byId("evicted").hidden = !evicted;
		put(byId("evicted"), `${count(evicted)} older profiles were removed to bound the disk space.`);
	}
}

/* ---- life ---- */

async function refresh() {
	clearTimeout(timer);
	if (!token)
		return;
	try {
		const [h, p] = await Promise.all([call("/api/studio/hosts"), call("/api/studio/profiles")]);
		const hostList = await h.json(), profileList = await p.json();
		clockAhead = hostList.now_ms - Date.now();
		hosts = hostList.hosts;
		profiles = profileList.profiles;
		draw(profileList.evicted);
		byId("pulse").className = "pulse";
		put(byId("pulse"), "live");
		if (byId("banner").dataset.kind === "poll")
			complain("");
		byId("banner").dataset.kind = "";
	} catch (error) {
		if (!token)
			return;
		byId("pulse").className = "pulse lost";
		put(byId("pulse"), "no answer");
		byId("banner").dataset.kind = "poll";
		complain(`The studio does not answer, trying again: ${error.message}`);
	}
	if (document.visibilityState === "visible")
		timer = setTimeout(refresh, POLL_MS);
}

async function order(row, type) {
	const host = row.item, parts = row.parts;
	if (type === "start" && !byId("order").reportValidity())
		return;
	const body = { service_name: host.service, request_type: type, target_hosts: { [host.hostname]: null } };
	if (type === "start")
		Object.assign(body, { continuous: byId("continuous").checked, profiling_mode: "cpu",
			duration: byId("duration").valueAsNumber, frequency: byId("rate").valueAsNumber });
	else
		body.stop_level = "host";
	parts.start.disabled = parts.stop.disabled = true;
	try {
		await call("/api/metrics/profile_request", body);
		byId("banner").dataset.kind = "";
		complain("");
	} catch (error) {
		byId("banner").dataset.kind = "order";
		complain(`The order was not taken: ${error.message}`);
	} finally {
		parts.start.disabled = parts.stop.disabled = false;
	}
	refresh();
}

function enter() {
	byId("door").hidden = true;
	byId("room").hidden = byId("pulse").hidden = byId("leave").hidden = false;
	route();
}

function leave(why) {
	token = null;
	clearTimeout(timer);
	hosts = profiles = [];
	draw(0);
	complain("");
	byId("door").hidden = false;
	byId("room").hidden = byId("pulse").hidden = byId("leave").hidden = true;
	byId("token-error").hidden = !why;
	put(byId("token-error"), why || "");
	closeViewer();
	byId("token").focus();
}

byId("token-form").addEventListener("submit", async event => {
	event.preventDefault();
	const given = byId("token").value.trim();
	byId("token").value = "";
	if (!/^[\x21-\x7e]+$/.test(given))
		return leave("A token has no blanks and no letters outside ASCII.");
	token = given;
	try {
		await call("/api/studio/hosts");
		byId("token-error").hidden = true;
		enter();
		refresh();
	} catch (error) {
		if (token)
			leave(`The studio does not answer: ${error.message}`);
	}
});

/* ---- flame graphs ---- */

function closeViewer() {
	shown = null;
	byId("viewer").hidden = true;
	byId("viewer-frame").replaceChildren();
}

async function openViewer(id) {
	if (shown === id)
		return;
	closeViewer();
	shown = id;
	const profile = profiles.find(p => p.id === id);
	put(byId("viewer-title"), profile ? visible(profile.hostname) : `Profile ${id}`);
	put(byId("viewer-sub"), profile ? `${visible(profile.service)} · ${time(profile.start_ms)} · ${seconds(profile)}` +
		(profile.has_page ? "" : " · drawn from the uploaded stacks, which do not tell what was missed or lost") : "");
	put(byId("viewer-state"), "Loading the flame graph …");
	byId("viewer").hidden = false;
	try {
		const html = await (await call(`/api/studio/profiles/${id}/flamegraph`)).text();
		if (shown === id)
			showPage(html);
	} catch (error) {
		if (shown === id)
			put(byId("viewer-state"), visible(`The flame graph cannot be shown: ${error.message}`));
	}
}

/* The frame has an origin of its own, by its sandbox and by its answer's policy: what is written into it
 * runs, but knows neither this page nor the token, and can fetch nothing. */
function showPage(html) {
	const frame = document.createElement("iframe");
	frame.setAttribute("sandbox", "allow-scripts");
	frame.title = "flame graph";
	frame.addEventListener("load", () => {
		frame.contentWindow.postMessage(html, "*");
		put(byId("viewer-state"), "");
	}, { once: true });
	frame.src = "/viewer";
	byId("viewer-frame").replaceChildren(frame);
}

async function save(path, name, type) {
	try {
		const blob = new Blob([await (await call(path)).blob()], { type });
		const link = document.createElement("a");
		link.href = URL.createObjectURL(blob);
		link.download = name;
		link.click();
		setTimeout(() => URL.revokeObjectURL(link.href), 10000);
	} catch (error) {
		complain(`Not saved: ${error.message}`);
	}
}

byId("save-html").addEventListener("click", () =>
	save(`/api/studio/profiles/${shown}/flamegraph`, `pulseprof-${shown}.html`, "application/octet-stream"));
byId("save-stacks").addEventListener("click", () =>
	save(`/api/studio/profiles/${shown}`, `pulseprof-${shown}.col`, "text/plain"));

function route() {
	const match = /^#profile\/(\d{1,15})$/.exec(location.hash);
	if (match && token)
		openViewer(Number(match[1]));
	else
		closeViewer();
}

byId("leave").addEventListener("click", () => leave(""));
byId("order").addEventListener("submit", event => event.preventDefault());
byId("filter").addEventListener("input", () => draw());
document.addEventListener("visibilitychange", () => {
	if (document.visibilityState === "visible")
		refresh();
});
addEventListener("hashchange", route);
setInterval(() => draw(), 1000);
put(byId("agent-line"), [
	"GPROFILER_TOKEN=... pulseprofd --enable-heartbeat-server --upload-results \\",
	"  --service-name NAME \\",
	`  --api-server ${location.origin} --server-host ${location.origin}`].join("\n"));
leave("");
})();
