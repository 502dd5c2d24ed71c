/*
 * What became of the orders. The commands of one request are one line with one progress; a press shows
 * each host's. The studio tells the newest commands only, so that the list stays short whatever the fleet.
 */
import { get, now, setClock } from "./studio.call.js";
import { enrolments } from "./studio.fleet.js";
import { add, age, badge, button, byId, count, fill, put, putName, remaining, several, span, time, visible } from "./studio.table.js";

const SHOWN_FIRST = 6, HOSTS_SHOWN = 50;
const STATES = {
	pending: ["waiting", "waiting", "for the next heartbeat"],
	sent: ["waiting", "sent", "not confirmed yet"],
	received: ["waiting", "received", "sampling begins"],
	sampling: ["profiling", "sampling", ""],
	done: ["good", "done", ""],
	stopped: ["past", "stopped", ""],
	failed: ["error", "failed", "no reason was given"],
	expired: ["error", "expired", "the host did not fetch it in time"],
	superseded: ["past", "replaced", "by a later order, before the host had it"],
};
const LIVE = ["pending", "sent", "received", "sampling"];

let groups = [], subscriptions = [], live = new Map(), isLong = false;
let stopGroup = () => {}, endService = () => {};
const open = new Set();

const hostKey = (hostname, service) => JSON.stringify([hostname, service]);
const isStop = command => command.type === "stop";

/* How much of it is over, 0 to 1. */
function progress(command) {
	if (!LIVE.includes(command.state))
		return 1;
	if (command.state !== "sampling" || command.continuous || !command.begun_ms || !command.duration_s)
		return 0;
	return Math.min(1, Math.max(0, (now() - command.begun_ms) / (command.duration_s * 1000)));
}

function words(command) {
	const left = command.begun_ms + command.duration_s * 1000 - now();
	const samples = command.samples === null || command.samples === undefined ? "" : several(command.samples, "sample") +
		(command.lost ? `, ${count(command.lost)} lost` : command.lost === 0 && command.state === "done" ? ", none lost" : "");
	if (command.state === "sampling")
		return command.continuous ? [`for ${span(now() - command.begun_ms)}`, samples].filter(Boolean).join(", ") :
			left > 0 ? `${remaining(left)} left` : "its profile is on the way";
	if (command.state === "done" && isStop(command))
		return "";
	return [samples, command.reason || (samples ? "" : STATES[command.state]?.[2])].filter(Boolean).join("; ");
}

function what(group) {
	const c = group.commands[0], pids = group.commands.reduce((sum, each) => sum + (each.pids?.length || 0), 0);
	const list = [visible(c.service)];
	if (isStop(c))
		list.push(pids ? "stop of processes" : "stop");
	else
		list.push(`${c.continuous ? "continuous" : `${count(c.duration_s)} s`} at ${count(c.rate_hz)} Hz`);
	if (pids)
		list.push(several(pids, "process", "processes"));
	return list.join(" · ");
}

function summary(group) {
	const counts = new Map();
	for (const { state } of group.commands)
		counts.set(state, (counts.get(state) || 0) + 1);
	if (group.commands.length === 1)
		return [...STATES[group.commands[0].state] || ["past", group.commands[0].state]].slice(0, 2);
	for (const state of ["sampling", "received", "sent", "pending"])
		if (counts.has(state))
			return STATES[state].slice(0, 2);
	const bad = (counts.get("failed") || 0) + (counts.get("expired") || 0);
	if (bad)
		return ["error", bad === group.commands.length ? "failed" : "partly failed"];
	return STATES[["done", "stopped", "superseded"].find(state => counts.has(state))].slice(0, 2);
}

function tally(group) {
	const names = new Map();
	for (const { state } of group.commands) {
		const name = STATES[state]?.[1] || state;
		names.set(name, (names.get(name) || 0) + 1);
	}
	return [...names].map(([name, n]) => `${count(n)} ${name}`).join(", ");
}

/* ---- one line ---- */

function makeGroup(element, group) {
	const head = add(element, "div", "line"), name = add(head, "div", "name"), parts = { element };
	parts.title = add(name, "b");
	parts.sub = add(name, "span");
	const state = add(head, "div", "state");
	parts.badge = add(state, "span");
	parts.words = add(state, "span");
	parts.bar = add(state, "progress");
	parts.bar.setAttribute("aria-label", "Progress");
	parts.age = add(head, "span", "sub age");
	const actions = add(head, "div", "actions");
	parts.more = button(actions, "quiet more", "Hosts", "", () => {
		open.has(group.key) ? open.delete(group.key) : open.add(group.key);
		draw();
	});
	parts.stop = button(actions, "quiet stop", "Stop", "", () => stopGroup(element.item.commands));
	parts.result = add(actions, "a", "button quiet result", "Flame graph");
	parts.hosts = add(element, "ul", "hosts");
	parts.hosts.id = `order-${group.key}`;
	parts.more.setAttribute("aria-controls", parts.hosts.id);
	return parts;
}

function updateGroup(parts, group) {
	const [first] = group.commands, n = group.commands.length, only = n === 1 ? first : null;
	const isLive = group.commands.some(c => LIVE.includes(c.state)), kind = summary(group);
	const text = only ? words(only) : tally(group);

	putName(parts.title, only ? first.hostname : several(n, "host"));
	putName(parts.sub, what(group));
	badge(parts.badge, ...kind);
	put(parts.words, visible(text));
	parts.words.className = kind[0] === "error" ? "sub bad" : "sub";
	const done = group.commands.reduce((sum, c) => sum + progress(c), 0) / n;
	parts.bar.hidden = !isLive || !group.commands.some(c => c.state === "sampling") || isStop(first) || (first.continuous && only);
	parts.bar.value = done;
	put(parts.age, age(group.made_ms));
	parts.age.title = time(group.made_ms);
	parts.stop.hidden = isStop(first) || !isLive;
	parts.stop.setAttribute("aria-label", `Stop the order of ${time(group.made_ms)}`);
	parts.result.hidden = !only?.profile;
	if (only?.profile)
		parts.result.href = `#profile/${only.profile}`;
	parts.more.hidden = n === 1;
	parts.more.setAttribute("aria-expanded", String(open.has(group.key)));
	parts.hosts.hidden = n === 1 || !open.has(group.key);
	fill(parts.hosts, "li", parts.hosts.hidden ? [] : group.sorted.slice(0, HOSTS_SHOWN), c => c.id, makeHost, updateHost);
}

function makeHost(element) {
	const parts = { name: add(element, "b", "text") }, state = add(element, "div", "state");
	parts.badge = add(state, "span");
	parts.words = add(state, "span", "sub");
	parts.result = add(element, "a", "", "Flame graph");
	return parts;
}

function updateHost(parts, command) {
	const [kind, name] = STATES[command.state] || ["past", command.state];
	putName(parts.name, command.hostname);
	badge(parts.badge, kind, name);
	put(parts.words, visible(words(command)));
	parts.words.className = kind === "error" ? "sub bad" : "sub";
	parts.result.hidden = !command.profile;
	if (command.profile)
		parts.result.href = `#profile/${command.profile}`;
}

/* ---- the list ---- */

/* What needs a look comes first. */
const URGENCY = ["failed", "expired", "sampling", "received", "sent", "pending", "done", "stopped", "superseded"];

function grouped(commands) {
	const byRequest = new Map();
	for (const command of commands) {
		const key = command.request_ids?.[0] || command.id;
		if (!byRequest.has(key))
			byRequest.set(key, { key, made_ms: command.made_ms, commands: [] });
		byRequest.get(key).commands.push(command);
	}
	for (const group of byRequest.values())
		group.sorted = group.commands.toSorted((a, b) => URGENCY.indexOf(a.state) - URGENCY.indexOf(b.state));
	return [...byRequest.values()];
}

/* ---- subscriptions: services whose new hosts are told to sample as they appear ---- */

function makeSubscription(element) {
	const parts = { text: add(element, "span") };
	parts.end = button(element, "quiet", "End", "", () => endService(element.item.service));
	return parts;
}

function updateSubscription(parts, { service, rate_hz, made_ms }) {
	put(parts.text, `New hosts of ${visible(service)} are enrolled: continuous at ${count(rate_hz)} Hz, ordered ${age(made_ms)}.`);
	parts.end.setAttribute("aria-label", `End the subscription of ${visible(service)}`);
}

function drawSubscriptions() {
	byId("subscriptions").hidden = !subscriptions.length;
	fill(byId("subscriptions"), "li", subscriptions, s => s.service, makeSubscription, updateSubscription);
}

/* ---- life ---- */

export async function load() {
	const [answer, enrolled] = await Promise.all([get("/api/studio/commands"), enrolments()]);
	subscriptions = enrolled;
	setClock(answer.now_ms);
	groups = grouped(answer.commands);
	live = new Map();
	for (const command of answer.commands)
		if (LIVE.includes(command.state)) {
			const key = hostKey(command.hostname, command.service);
			live.set(key, [...live.get(key) || [], command]);
		}
	draw();
}

/* A badge for the row of a host that has something to do; null if the list does not say. */
export function liveOf(hostname, service) {
	const list = live.get(hostKey(hostname, service)) || [], runs = list.filter(c => c.state === "sampling");
	const adHoc = runs.find(c => !c.continuous), left = adHoc && adHoc.begun_ms + adHoc.duration_s * 1000 - now();
	if (adHoc)
		return ["profiling", left > 0 ? `profiling, ${remaining(left)} left` : "profiling"];
	if (runs.length)
		return ["profiling", "continuous"];
	return list.length ? ["waiting", isStop(list[0]) ? "stopping" : "waiting"] : null;
}

export function draw() {
	fill(byId("orders"), "li", isLong ? groups : groups.slice(0, SHOWN_FIRST), group => group.key, makeGroup, updateGroup);
	drawSubscriptions();
	byId("no-orders").hidden = groups.length > 0;
	byId("orders-more").hidden = isLong || groups.length <= SHOWN_FIRST;
	put(byId("orders-more"), `Show ${count(groups.length - SHOWN_FIRST)} more`);
}

export function forget() {
	groups = [];
	subscriptions = [];
	live.clear();
	open.clear();
	draw();
}

/* stop(commands), end(service): the operator wants these to end. */
export function start(stop, end) {
	[stopGroup, endService] = [stop, end];
	byId("orders-more").addEventListener("click", () => {
		isLong = true;
		draw();
	});
}
