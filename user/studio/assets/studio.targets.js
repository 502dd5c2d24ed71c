/*
 * The targets: one tab for each scope, a page of rows that the studio filters and cuts, and the selection
 * of each tab, which stays while rows come and go. What is done with it is order.js's.
 */
import { now } from "./studio.call.js";
import { workloads } from "./studio.fleet.js";
import { add, age, badge, button, byId, count, fill, pager, put, putName, several, stamp, visible, whenTyped } from "./studio.table.js";

const PAGE_ROWS = 15;
const OFFLINE_MS = 120000;

const number = (title, field) => ({ title, num: true, text: row => row[field] === undefined ? "–" : count(row[field]) });
const text = (title, field) => ({ title, text: row => row[field] || "–" });
const service = text("Service", "serviceName"), namespace = text("Namespace", "namespace"), host = text("Host", "hostname");
const hosts = number("Hosts", "hostCount"), pods = number("Pods", "podCount");
const containers = number("Containers", "containerCount"), processes = number("Processes", "processCount");
const agent = { title: "Agent", text: row => row.agentVersion || "–" };

/* key: the field of a row that names it, and the filter that plain words mean. */
export const SCOPES = {
	host: { name: "Hosts", one: "host", key: "hostname", filter: "hostname", sub: "ipAddress", columns: [service, processes, agent] },
	service: { name: "Services", one: "service", key: "serviceName", filter: "service_name", columns: [hosts, pods, processes] },
	namespace: { name: "Namespaces", one: "namespace", key: "namespace", filter: "namespace",
		columns: [service, hosts, pods, processes] },
	workload: { name: "Workloads", one: "workload", key: "workloadName", filter: "workload_name", sub: "workloadKind",
		columns: [namespace, service, hosts, pods, processes] },
	pod: { name: "Pods", one: "pod", key: "podName", filter: "pod_name", columns: [namespace, service, host, processes] },
	container: { name: "Containers", one: "container", key: "containerName", filter: "container_name",
		columns: [text("Pod", "podName"), namespace, host, processes] },
	process: { name: "Processes", one: "process", many: "processes", key: "processName", filter: "process_name", sub: "pid",
		columns: [text("Container", "containerName"), text("Pod", "podName"), host] },
};
const TERMS = { service: "service_name", host: "hostname", ip: "ip_address", namespace: "namespace", workload: "workload_name",
	pod: "pod_name", container: "container_name", process: "process_name", pid: "pids", status: "profiling_status" };

export const view = { scope: "host", find: "", offset: 0, offline: false };
const chosen = Object.fromEntries(Object.keys(SCOPES).map(scope => [scope, new Map()]));
let rows = [], changed = () => {}, orderRow = () => {}, turned;

/* "cart service:shop" is what the tab's own name must contain, and what the service's must. */
function filters() {
	const query = view.offline ? { offline: "true" } : {};
	for (const word of view.find.trim().split(/\s+/).filter(Boolean)) {
		const [, term, value] = /^([a-z]+):(.+)$/.exec(word) || [];
		const name = TERMS[term] || SCOPES[view.scope].filter;
		(query[name] ||= []).push(TERMS[term] ? value : word);
	}
	return query;
}

export async function load() {
	const { scope, find, offset, offline } = view;
	const answer = await workloads(scope, PAGE_ROWS, offset, filters());
	if (scope !== view.scope || find !== view.find || offset !== view.offset || offline !== view.offline)
		return;
	if (!answer.rows.length && offset && answer.totalCount) {
		view.offset = Math.floor((answer.totalCount - 1) / PAGE_ROWS) * PAGE_ROWS;
		return load();
	}
	rows = answer.rows;
	for (const row of rows)
		if (chosen[scope].has(row.id))
			chosen[scope].set(row.id, row);
	for (const tab of byId("tabs").children) {
		tab.hidden = !(tab.dataset.scope in answer.tabCounts);
		put(tab.lastChild, count(answer.tabCounts[tab.dataset.scope]));
	}
	byId("targets").removeAttribute("aria-busy");
	byId("no-hosts").hidden = scope !== "host" || answer.totalCount > 0 || !!view.find;
	byId("no-rows").hidden = rows.length > 0 || !byId("no-hosts").hidden;
	put(byId("no-rows"), view.find ? `No ${SCOPES[scope].one} matches “${visible(view.find)}”.` :
		`No ${SCOPES[scope].one} is known. Agents report what runs on their hosts; none has told of one.`);
	turned(offset, PAGE_ROWS, rows.length, answer.totalCount);
	draw();
}

/* ---- rows ---- */

function state(row) {
	if (now() - stamp(row.heartbeatTimestamp) > OFFLINE_MS)
		return ["offline", "offline"];
	if (row.profilingStatus !== "active")
		return ["idle", "idle"];
	if (row.state !== "sampling")
		return ["waiting", "waiting"];
	return ["profiling", row.profilingMode === "Continuous" ? "continuous" : "profiling"];
}

function makeRow(element) {
	const scope = SCOPES[view.scope], parts = { cells: [] };
	const check = add(add(element, "td", "pick"), "input");
	const name = add(element, "th", "name");

	check.type = "checkbox";
	check.addEventListener("change", () => choose([element.item], check.checked));
	name.scope = "row";
	Object.assign(parts, { element, check, name: add(name, "b"), sub: scope.sub && add(name, "span") });
	for (const column of scope.columns)
		parts.cells.push(add(element, "td", column.num ? "num" : "text"));
	parts.seen = add(element, "td", "seen");
	parts.badge = add(add(element, "td", "state"), "span");
	const actions = add(element, "td", "actions");
	parts.stop = button(actions, "quiet stop", "Stop", "", () => orderRow("stop", [element.item]));
	parts.start = button(actions, "quiet start", "Profile", "", () => orderRow("start", [element.item]));
	return parts;
}

function updateRow(parts, row) {
	const scope = SCOPES[view.scope], name = visible(row[scope.key] || "(none)"), what = state(row);
	putName(parts.name, row[scope.key] || "(none)");
	if (parts.sub)
		put(parts.sub, visible(view.scope === "process" ? `pid ${row.pid}` : row[scope.sub]));
	parts.cells.forEach((td, i) => (scope.columns[i].num ? put : putName)(td, scope.columns[i].text(row)));
	put(parts.seen, age(stamp(row.heartbeatTimestamp)));
	badge(parts.badge, ...what);
	parts.check.checked = chosen[view.scope].has(row.id);
	parts.element.className = parts.check.checked ? "chosen" : "";
	parts.check.setAttribute("aria-label", `Select ${name}`);
	parts.start.setAttribute("aria-label", `Profile ${name}`);
	parts.stop.setAttribute("aria-label", `Stop profiling ${name}`);
	parts.stop.hidden = !["profiling", "waiting"].includes(what[0]);
}

export function draw() {
	fill(byId("targets"), "tr", rows, row => row.id, makeRow, updateRow);
	drawChoice();
}

function drawHead() {
	const head = byId("targets-head"), scope = SCOPES[view.scope];
	const column = (title, className) => {
		const th = add(head, "th", className, title);
		th.scope = "col";
		return th;
	};
	head.replaceChildren();
	const all = add(column("", "pick"), "input");
	all.type = "checkbox";
	all.id = "choose-page";
	all.setAttribute("aria-label", "Select all rows of this page");
	all.addEventListener("change", () => choose(rows, all.checked));
	column(scope.one[0].toUpperCase() + scope.one.slice(1));
	for (const { title, num } of scope.columns)
		column(title, num ? "num" : "text");
	column("Heartbeat", "seen");
	column("State");
	add(column(""), "span", "unseen", "Actions");
}

/* ---- the selection ---- */

export const selection = () => [...chosen[view.scope].values()];

function choose(some, isOn) {
	for (const row of some)
		isOn ? chosen[view.scope].set(row.id, row) : chosen[view.scope].delete(row.id);
	draw();
}

/* Something was done with them. */
export function release(some) {
	choose(some, false);
}

function drawChoice() {
	const map = chosen[view.scope], scope = SCOPES[view.scope];
	const here = rows.filter(row => map.has(row.id)).length, all = byId("choose-page");
	put(byId("chosen"), map.size ? `${several(map.size, scope.one, scope.many)} selected` +
		(here < map.size ? `, ${count(map.size - here)} not on this page` : "") : `Select ${scope.name.toLowerCase()} below`);
	byId("clear").hidden = !map.size;
	byId("start").disabled = byId("stop").disabled = !map.size;
	all.checked = rows.length > 0 && here === rows.length;
	all.indeterminate = here > 0 && here < rows.length;
	all.disabled = !rows.length;
}

/* ---- tabs ---- */

/* Shows what view says; the rows follow with the next answer. */
export function show() {
	for (const tab of byId("tabs").children) {
		const isOn = tab.dataset.scope === view.scope;
		tab.setAttribute("aria-selected", String(isOn));
		tab.tabIndex = isOn ? 0 : -1;
	}
	byId("panel").setAttribute("aria-labelledby", `tab-${view.scope}`);
	byId("targets").setAttribute("aria-busy", "true");
	if (byId("filter").value !== view.find)
		byId("filter").value = view.find;
	byId("offline").checked = view.offline;
	byId("filter").placeholder = `Filter ${SCOPES[view.scope].name.toLowerCase()}`;
	rows = [];
	byId("targets").replaceChildren();
	byId("no-hosts").hidden = true;
	byId("no-rows").hidden = false;
	put(byId("no-rows"), "Looking …");
	byId("targets-pager").hidden = true;
	drawHead();
	drawChoice();
}

function go(to) {
	const isOther = to.scope && to.scope !== view.scope;
	Object.assign(view, { offset: 0, find: byId("filter").value }, to);
	if (isOther)
		show();
	changed();
}

function onKey(event) {
	const tabs = [...byId("tabs").children].filter(tab => !tab.hidden), at = tabs.indexOf(document.activeElement);
	const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
	if (at < 0 || to === undefined)
		return;
	const tab = tabs[(to + tabs.length) % tabs.length];
	event.preventDefault();
	go({ scope: tab.dataset.scope });
	tab.focus();
}

/* onChange: another tab, filter or page; order(type, rows). */
export function start(onChange, order) {
	[changed, orderRow] = [onChange, order];
	for (const [name, scope] of Object.entries(SCOPES)) {
		const tab = button(byId("tabs"), "tab", "", "", () => go({ scope: name }));
		tab.id = `tab-${name}`;
		tab.dataset.scope = name;
		tab.setAttribute("role", "tab");
		tab.setAttribute("aria-controls", "panel");
		add(tab, "span", "", scope.name);
		add(tab, "span", "count");
	}
	byId("tabs").addEventListener("keydown", onKey);
	turned = pager(byId("targets-pager"), offset => {
		view.offset = offset;
		changed();
	});
	whenTyped(byId("filter"), () => go({ find: byId("filter").value }));
	byId("offline").addEventListener("change", () => go({ offline: byId("offline").checked }));
	byId("clear").addEventListener("click", () => choose(selection(), false));
	show();
}

export function forget() {
	for (const map of Object.values(chosen))
		map.clear();
	rows = [];
	draw();
}
