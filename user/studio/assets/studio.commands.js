/*
 * What became of the orders. The studio counts the commands of one request together, so that the list stays
 * short whatever the fleet; a press shows the hosts, those that need a look first.
 */
import { get, now, setClock } from "./studio.call.js";
import { enrolments } from "./studio.fleet.js";
import { add, age, badge, button, byId, count, fill, put, putName, remaining, several, span, time, visible } from "./studio.table.js";

const SHOWN_FIRST = 6, HOSTS_SHOWN = 50, HOSTS_STOPPED = 2000;
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

let orders = [], subscriptions = [], isLong = false;
let stopHosts = () => {}, endService = () => {}, complain = () => {};
const open = new Map(); /* request_id: its commands */

const isStop = command => command.type === "stop";
const inStates = (order, states) => states.reduce((n, state) => n + (order.states[state] || 0), 0);

/* How much of it is over, 0 to 1. */
function progress(order) {
	const isTimed = !order.continuous && order.begun_ms && order.duration_s;
	const share = isTimed ? Math.min(1, Math.max(0, (now() - order.begun_ms) / (order.duration_s * 1000))) : 0;
	return (order.commands - inStates(order, LIVE) + share * inStates(order, ["sampling"])) / order.commands;
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

function what(order) {
	const list = [visible(order.service)];
	if (isStop(order))
		list.push(order.processes ? "stop of processes" : "stop");
	else
		list.push(`${order.continuous ? "continuous" : `${count(order.duration_s)} s`} at ${count(order.rate_hz)} Hz`);
	if (order.processes)
		list.push(several(order.processes, "process", "processes"));
	return list.join(" · ");
}

/* The class and the word of its badge. */
function summary(order) {
	const bad = inStates(order, ["failed", "expired"]);
	if (order.commands === 1)
		return (STATES[order.state] || ["past", order.state]).slice(0, 2);
	for (const state of LIVE.toReversed())
		if (order.states[state])
			return STATES[state].slice(0, 2);
	if (bad)
		return ["error", bad === order.commands ? "failed" : "partly failed"];
	return STATES[["done", "stopped", "superseded"].find(state => order.states[state])].slice(0, 2);
}

const tally = order => Object.entries(order.states).map(([state, n]) => `${count(n)} ${STATES[state]?.[1] || state}`).join(", ");

/* ---- one line ---- */

function makeOrder(element, order) {
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
		if (!open.delete(order.request_id))
			open.set(order.request_id, []);
		draw();
		loadHosts().catch(complain);
	});
	parts.stop = button(actions, "quiet stop", "Stop", "", () => stop(element.item).catch(complain));
	parts.result = add(actions, "a", "button quiet result", "Flame graph");
	parts.hosts = add(element, "ul", "hosts");
	parts.hosts.id = `order-${order.request_id}`;
	parts.more.setAttribute("aria-controls", parts.hosts.id);
	parts.rest = add(element, "p", "sub rest");
	return parts;
}

function updateOrder(parts, order) {
	const only = order.commands === 1, kind = summary(order), isOpen = !only && open.has(order.request_id);
	const isLive = inStates(order, LIVE) > 0;

	putName(parts.title, only ? order.hostname : several(order.commands, "host"));
	putName(parts.sub, what(order));
	badge(parts.badge, ...kind);
	putName(parts.words, only ? words(order) : tally(order));
	parts.words.className = kind[0] === "error" ? "sub bad" : "sub";
	parts.bar.hidden = !order.states.sampling || isStop(order) || (order.continuous && only);
	parts.bar.value = progress(order);
	put(parts.age, age(order.made_ms));
	parts.age.title = time(order.made_ms);
	parts.stop.hidden = isStop(order) || !isLive;
	parts.stop.setAttribute("aria-label", `Stop the order of ${time(order.made_ms)}`);
	parts.result.hidden = !only || !order.profile;
	if (only && order.profile)
		parts.result.href = `#profile/${order.profile}`;
	parts.more.hidden = only;
	parts.more.setAttribute("aria-expanded", String(isOpen));
	parts.hosts.hidden = !isOpen;
	fill(parts.hosts, "li", isOpen ? open.get(order.request_id) : [], c => c.id, makeHost, updateHost);
	parts.rest.hidden = !isOpen || order.commands <= HOSTS_SHOWN;
	put(parts.rest, `and ${several(order.commands - HOSTS_SHOWN, "more host")}; those that need a look come first`);
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
	putName(parts.words, words(command));
	parts.words.className = kind === "error" ? "sub bad" : "sub";
	parts.result.hidden = !command.profile;
	if (command.profile)
		parts.result.href = `#profile/${command.profile}`;
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

const commandsOf = async (order, limit) => (await get("/api/studio/commands", { request_id: order.request_id, limit })).commands;

/* Of the orders whose hosts are shown. */
async function loadHosts() {
	await Promise.all(orders.filter(order => open.has(order.request_id)).map(async order => {
		const commands = await commandsOf(order, HOSTS_SHOWN);
		if (open.has(order.request_id))
			open.set(order.request_id, commands);
	}));
	draw();
}

async function stop(order) {
	const live = (await commandsOf(order, HOSTS_STOPPED)).filter(command => LIVE.includes(command.state));
	if (live.length)
		stopHosts(live);
}

export async function load() {
	const [answer, enrolled] = await Promise.all([get("/api/studio/orders"), enrolments()]);
	setClock(answer.now_ms);
	orders = answer.orders;
	subscriptions = enrolled;
	await loadHosts();
}

export function draw() {
	fill(byId("orders"), "li", isLong ? orders : orders.slice(0, SHOWN_FIRST), order => order.request_id, makeOrder, updateOrder);
	drawSubscriptions();
	byId("no-orders").hidden = orders.length > 0;
	byId("orders-more").hidden = isLong || orders.length <= SHOWN_FIRST;
	put(byId("orders-more"), `Show ${count(orders.length - SHOWN_FIRST)} more`);
}

export function forget() {
	orders = [];
	subscriptions = [];
	open.clear();
	draw();
}

/* onStop(commands), onEnd(service): the operator wants these to end. */
export function start(onStop, onEnd, onError) {
	[stopHosts, endService, complain] = [onStop, onEnd, onError];
	byId("orders-more").addEventListener("click", () => {
		isLong = true;
		draw();
	});
}
