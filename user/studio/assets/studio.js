/*
 * The studio's page: its door, its clockwork and its address. The address keeps the tab, the filter and
 * the page, never the token, so a reload finds its place again once the token is given.
 */
import { call, hasToken, setToken, whenRefused } from "./studio.call.js";
import { byId, put, visible } from "./studio.table.js";
import * as commands from "./studio.commands.js";
import * as order from "./studio.order.js";
import * as profiles from "./studio.profiles.js";
import * as targets from "./studio.targets.js";

const POLL_MS = 1500, POLL_SHARE = 10; /* asking may take a tenth of the time */

const parts = [commands, targets, profiles].map(({ load }) => ({ load, timer: 0, round: 0, error: null }));

function complain(text, kind) {
	byId("banner").textContent = text ? visible(text) : "";
	byId("banner").hidden = !text;
	byId("banner").dataset.kind = kind || "";
}

/* ---- life ---- */

/* Says whether what is shown is what is. */
function tell() {
	const error = parts.find(part => part.error)?.error;
	byId("pulse").className = error ? "pulse lost" : "pulse";
	put(byId("pulse"), !error ? "live" : error.status === 0 ? "no answer" : "not up to date");
	if (error)
		complain(error.status === 0 ? `The studio does not answer, trying again: ${error.message}` :
			`Not up to date: ${error.message}`, "poll");
	else if (byId("banner").dataset.kind === "poll")
		complain("");
}

/* Each at its own pace: the rows of a large fleet take a while and hold up nothing else. */
async function poll(part) {
	const mine = ++part.round, begin = performance.now();
	clearTimeout(part.timer);
	if (!hasToken())
		return;
	const error = await part.load().then(() => null, reason => reason);
	if (mine !== part.round || !hasToken())
		return;
	part.error = error;
	tell();
	if (document.visibilityState === "visible")
		part.timer = setTimeout(poll, Math.max(POLL_MS, (performance.now() - begin) * POLL_SHARE), part);
}

const refresh = () => parts.forEach(poll);

function show(isIn) {
	byId("door").hidden = isIn;
	byId("room").hidden = byId("pulse").hidden = byId("leave").hidden = !isIn;
}

function leave(why) {
	setToken(null);
	for (const part of parts) {
		clearTimeout(part.timer);
		part.error = null;
	}
	if (byId("confirm").open)
		byId("confirm").close();
	targets.forget();
	commands.forget();
	profiles.forget();
	complain("");
	show(false);
	byId("token-error").hidden = !why;
	put(byId("token-error"), why || "");
	byId("token").focus();
}

byId("token-form").addEventListener("submit", async event => {
	event.preventDefault();
	const given = byId("token").value.trim();
	byId("token").value = "";
	if (!/^[\x21-\x7e]+$/.test(given))
		return leave("A token has no blanks and no letters outside ASCII.");
	setToken(given);
	try {
		await call("/api/studio/profiles?limit=1");
		byId("token-error").hidden = true;
		show(true);
		route();
		refresh();
	} catch (error) {
		if (hasToken())
			leave(`The studio does not answer: ${error.message}`);
	}
});

/* ---- the address ---- */

function keepPlace() {
	const { scope, find, offset, offline } = targets.view, words = new URLSearchParams();
	if (find)
		words.set("find", find);
	if (offset)
		words.set("from", offset);
	if (offline)
		words.set("offline", "true");
	history.replaceState(null, "", `#${scope}${words.size ? `?${words}` : ""}`);
	byId("viewer-back").href = location.hash;
}

function route() {
	const profile = /^#profile\/(\d{1,15})$/.exec(location.hash);
	const place = /^#([a-z]+)(?:\?(.*))?$/.exec(location.hash);

	if (profile) {
		if (hasToken())
			profiles.open(Number(profile[1]));
		return;
	}
	profiles.close();
	if (!place || !Object.hasOwn(targets.SCOPES, place[1]))
		return;
	const words = new URLSearchParams(place[2] || "");
	const wanted = { scope: place[1], find: words.get("find") || "", offline: words.get("offline") === "true",
		offset: Math.max(0, Number.parseInt(words.get("from"), 10) || 0) };
	if (Object.keys(wanted).some(name => wanted[name] !== targets.view[name])) {
		Object.assign(targets.view, wanted);
		targets.show();
		refresh();
	}
	byId("viewer-back").href = location.hash;
}

/* ---- the parts are put together ---- */

function stopCommands(list) {
	if (list.every(({ pids }) => pids.length))
		order.open("stop", "process", list.flatMap(({ hostname, service, pids }) =>
			pids.map(pid => ({ hostname, serviceName: service, pid, processName: `process ${pid}` }))));
	else
		order.open("stop", "host", list.map(({ hostname, service }) => ({ hostname, serviceName: service })));
}

whenRefused(() => leave("The studio does not know this token."));
targets.start(() => {
	keepPlace();
	refresh();
}, (type, rows) => order.open(type, targets.view.scope, rows));
commands.start(stopCommands, service => order.open("stop", "service", [{ serviceName: service }]),
	error => complain(`Not done: ${error.message}`));
profiles.start(refresh, complain);
order.start((rows, failed, n) => {
	complain(failed && `Not all of it was taken: ${failed}`, "order");
	put(byId("said"), `${n} ${n === 1 ? "command was" : "commands were"} made.`);
	targets.release(rows);
	refresh();
});
for (const type of ["start", "stop"])
	byId(type).addEventListener("click", () => order.open(type, targets.view.scope, targets.selection()));
byId("order").addEventListener("submit", event => event.preventDefault());
byId("leave").addEventListener("click", () => leave(""));
for (const way of ["once", "continuous"])
	byId(way).addEventListener("change", () => { byId("duration").disabled = byId("continuous").checked; });
document.addEventListener("visibilitychange", () => {
	if (document.visibilityState === "visible")
		refresh();
});
addEventListener("hashchange", route);
setInterval(() => {
	if (!hasToken() || document.visibilityState !== "visible")
		return;
	targets.draw();
	commands.draw();
	profiles.draw();
}, 1000);
put(byId("agent-line"), [
	"GPROFILER_TOKEN=... pulseprofd --enable-heartbeat-server --upload-results \\",
	"  --service-name NAME \\",
	`  --api-server ${location.origin} --server-host ${location.origin}`].join("\n"));
route();
leave("");
