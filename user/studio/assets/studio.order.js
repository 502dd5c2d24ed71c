/*
 * An order: what the operator chose becomes one request for each service; the studio is asked first what
 * it would do, and the answer is shown before anything happens. Not the list of what came of it
 * (studio.commands.js).
 */
import { request } from "./studio.fleet.js";
import { SCOPES } from "./studio.targets.js";
import { add, byId, count, several, visible } from "./studio.table.js";

const HOSTS_SHOWN = 200;
const ENTITY = {
	service: row => ({ service_name: row.serviceName }),
	namespace: row => ({ namespace: row.namespace }),
	workload: row => ({ workload_name: row.workloadName, namespace: row.namespace }),
	pod: row => ({ pod_name: row.podName, namespace: row.namespace }),
	container: row => ({ container_name: row.containerName, pod_name: row.podName, namespace: row.namespace, hostname: row.hostname }),
};
const MODES = { cpu: "CPU", allocation: "allocations", none: "no CPU profile" };

let order = null; /* of the open dialog: { type, scope, rows, level, bodies, hosts } */
let whenDone = () => {};

/* ---- what is sent ---- */

function settings() {
	return { continuous: byId("continuous").checked, profiling_mode: byId("mode").value,
		duration: byId("duration").valueAsNumber, frequency: byId("rate").valueAsNumber };
}

/* Names of hosts are keys here, and a host may call itself __proto__. */
function hostsOf(rows, withPids) {
	const hosts = Object.create(null);
	for (const row of rows)
		hosts[row.hostname] = withPids ? [...hosts[row.hostname] || [], row.pid] : null;
	return hosts;
}

function bodyOf(service, rows) {
	const { type, scope, level } = order;
	const body = { service_name: service, request_type: type };

	if (type === "start")
		Object.assign(body, settings());
	else
		body.stop_level = level;
	if (type === "stop" && level === "host" && scope !== "service")
		body.target_hosts = hostsOf(scope === "host" ? rows : order.hosts.filter(h => h.service === service), false);
	else if (scope === "host" || scope === "process")
		body.target_hosts = hostsOf(rows, scope === "process");
	else
		Object.assign(body, { target_scope: scope, target_entities: rows.map(ENTITY[scope]) });
	return body;
}

function bodies() {
	const services = new Map();
	for (const row of order.rows)
		services.set(row.serviceName, [...services.get(row.serviceName) || [], row]);
	return [...services].map(([service, rows]) => bodyOf(service, rows));
}

/* ---- the dialog ---- */

function describe() {
	const s = settings();
	return order.type === "stop" ? "" : `${MODES[s.profiling_mode]} at ${count(s.frequency)} Hz, ` +
		(s.continuous ? "continuously until stopped" : `once for ${count(s.duration)} s`);
}

function notes() {
	const { type, scope, level, rows } = order, list = [], continuous = byId("continuous").checked;
	const names = [...new Set(rows.map(row => visible(row.serviceName)))].join(", ");
	if (type === "start" && continuous && scope === "service")
		list.push(`New hosts of ${names} are enrolled as they appear, until this is ended.`);
	if (type === "start" && continuous)
		list.push("A continuous profile that runs on these hosts is replaced.");
	if (type === "stop" && scope === "service")
		list.push(`New hosts of ${names} are no longer enrolled.`);
	if (type === "stop" && level === "host")
		list.push("Everything that runs on these hosts ends. What was sampled is uploaded.");
	return list;
}

/* Worth an order even where no host is left. */
const endsEnrolment = () => order.type === "stop" && order.scope === "service";

function say(text, isBad) {
	byId("confirm-state").textContent = text;
	byId("confirm-state").className = isBad ? "error" : "confirm-state";
}

function showHosts(results) {
	const list = byId("confirm-hosts"), failed = results.filter(r => r.error);
	const pids = order.hosts.reduce((sum, h) => sum + h.pids.length, 0), all = order.hosts.some(h => !h.pids.length);
	const what = several(order.hosts.length, "host") + (pids ? `, ${several(pids, "process", "processes")}` : "") +
		(pids && all ? " and whole hosts" : "");

	list.replaceChildren();
	for (const host of order.hosts.slice(0, HOSTS_SHOWN)) {
		const item = add(list, "li");
		add(item, "b", "", visible(host.hostname));
		add(item, "span", "sub", host.pids.length ? several(host.pids.length, "process", "processes") : "whole host");
	}
	if (order.hosts.length > HOSTS_SHOWN)
		add(list, "li", "sub", `and ${count(order.hosts.length - HOSTS_SHOWN)} more`);
	for (const result of failed)
		add(list, "li", "error", visible(`${result.service_name}: ${result.error}`));
	list.hidden = !list.children.length;
	say(what, false);
	byId("confirm-go").disabled = !order.hosts.length && !endsEnrolment();
	byId("confirm-go").focus();
}

async function ask() {
	const mine = order;
	byId("confirm-go").disabled = true;
	byId("confirm-hosts").hidden = true;
	byId("confirm-notes").replaceChildren();
	notes().forEach(note => add(byId("confirm-notes"), "li", "", note));
	say("Asking the studio what this reaches …", false);
	try {
		const results = await request(bodies(), true);
		if (order !== mine)
			return;
		order.hosts = results.flatMap(r => (r.response?.hosts || []).map(h =>
			({ service: r.service_name, hostname: h.hostname, pids: h.pids || [] })));
		showHosts(results);
	} catch (error) {
		if (order === mine)
			say(visible(error.message), true);
	}
}

async function submit() {
	byId("confirm-go").disabled = true;
	try {
		const { rows } = order, results = await request(bodies(), false), failed = results.filter(r => r.error);
		const ids = results.flatMap(r => r.response?.command_ids || []);
		byId("confirm").close();
		whenDone(rows, failed.map(r => `${r.service_name}: ${r.error}`).join("; "), ids.length);
	} catch (error) {
		say(visible(`Not taken: ${error.message}`), true);
		byId("confirm-go").disabled = false;
	}
}

export function open(type, scope, rows) {
	if (!rows.length || (type === "start" && !byId("order").reportValidity()))
		return;
	const whole = scope === "host" || scope === "service", one = SCOPES[scope];
	order = { type, scope, rows, level: whole ? "host" : "process", hosts: [] };
	byId("confirm-title").textContent = (type === "stop" ? "Stop profiling " : "Profile ") +
		(rows.length === 1 ? visible(rows[0][one.key]) : several(rows.length, one.one, one.many));
	byId("confirm-what").textContent = describe();
	byId("confirm-what").hidden = type === "stop";
	byId("confirm-go").textContent = type === "stop" ? "Stop" : "Start";
	byId("level").hidden = whole || type === "start";
	byId("level-process").checked = true;
	byId("confirm").showModal();
	ask();
}

/* done(rows, failures, commands made) */
export function start(done) {
	whenDone = done;
	byId("confirm-form").addEventListener("submit", event => {
		event.preventDefault();
		submit();
	});
	byId("confirm-cancel").addEventListener("click", () => byId("confirm").close());
	byId("confirm").addEventListener("close", () => { order = null; });
	/* The hosts were found by the processes; to stop all that runs there, no selector is needed. */
	for (const level of ["process", "host"])
		byId(`level-${level}`).addEventListener("change", () => {
			order.level = level;
			byId("confirm-notes").replaceChildren();
			notes().forEach(note => add(byId("confirm-notes"), "li", "", note));
		});
}
