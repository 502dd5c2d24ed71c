/*
 * The list of profiles and the view of one. Uploads of one run, cut to the server's limits, are one line
 * with its parts. Uploaded pages are shown in a sandboxed frame that cannot reach this page.
 */
import { call, get } from "./studio.call.js";
import { add, age, byId, count, fill, pager, put, putName, several, time, visible, whenTyped } from "./studio.table.js";

const PAGE_ROWS = 20;

export const view = { find: "", offset: 0 };
let runs = [], changed = () => {}, turned;
let shown = null; /* id in the viewer */
let complain = () => {};

const seconds = p => p.end_ms > p.start_ms ? `${count((p.end_ms - p.start_ms) / 1000)} s` : "–";
const partsKey = p => p.command_id && !p.continuous ? p.command_id :
	p.end_ms ? JSON.stringify([p.hostname, p.service, p.start_ms, p.end_ms, p.continuous]) : String(p.id);

/* Parts arrive one after the other: neighbours in the list. */
function grouped(profiles) {
	const list = [];
	for (const profile of profiles) {
		const run = list.at(-1);
		if (run && partsKey(run.parts[0]) === partsKey(profile))
			run.parts.unshift(profile);
		else
			list.push({ parts: [profile] });
	}
	return list;
}

function total(run) {
	const [first] = run.parts, sum = field => run.parts.reduce((n, p) => n + p[field], 0);
	const known = run.parts.filter(p => p.complete_pct !== null), weight = known.reduce((n, p) => n + p.samples, 0);
	return { ...first, samples: sum("samples"), stacks: sum("stacks"), lines_skipped: sum("lines_skipped"),
		complete_pct: weight ? known.reduce((n, p) => n + p.complete_pct * p.samples, 0) / weight :
			known.length ? known[0].complete_pct : null };
}

function make(row) {
	const parts = { start: add(row, "td") }, name = add(row, "th", "text");
	name.scope = "row";
	parts.name = name;
	parts.service = add(row, "td", "text soft-column");
	parts.length = add(row, "td", "num soft-column");
	parts.samples = add(row, "td", "num soft-column");
	parts.stacks = add(row, "td", "num soft-column");
	const complete = add(row, "td", "complete soft-column");
	parts.meter = add(complete, "meter");
	parts.meter.max = 100;
	parts.complete = add(complete, "span", "sub");
	parts.links = add(row, "td", "actions");
	return parts;
}

function update(parts, run) {
	const profile = total(run), known = profile.complete_pct !== null;
	put(parts.start, time(profile.start_ms));
	parts.start.title = `${new Date(profile.start_ms).toISOString()}, received ${age(profile.received_ms)}`;
	putName(parts.name, profile.hostname);
	putName(parts.service, profile.service);
	put(parts.length, seconds(profile) + (profile.continuous ? " ∞" : ""));
	parts.length.title = profile.continuous ? "a window of a continuous profile" : "";
	put(parts.samples, count(profile.samples) + (profile.lines_skipped ? " ⚠" : ""));
	parts.samples.title = profile.lines_skipped ? `${count(profile.lines_skipped)} bad lines were left out` : "";
	put(parts.stacks, count(profile.stacks));
	parts.meter.hidden = !known;
	parts.meter.value = known ? profile.complete_pct : 0;
	put(parts.complete, known ? `${profile.complete_pct.toFixed(1)} %` : "no user stacks");
	fill(parts.links, "a", run.parts, p => String(p.id), link => link, (link, p) => {
		const at = run.parts.indexOf(p) + 1, many = run.parts.length > 1;
		link.className = "button quiet open";
		link.href = `#profile/${p.id}`;
		put(link, !many ? "Open" : at === 1 ? `Open part 1` : String(at));
		link.setAttribute("aria-label", `Open the profile of ${visible(p.hostname)}, ${time(p.start_ms)}` +
			(many ? `, part ${at} of ${run.parts.length}` : ""));
	});
}

export function draw() {
	fill(byId("profiles"), "tr", runs, run => partsKey(run.parts[0]) + run.parts[0].id, make, update);
}

export async function load() {
	const { find, offset } = view;
	const answer = await get("/api/studio/profiles", { filter: find.trim(), limit: PAGE_ROWS, offset });
	if (find !== view.find || offset !== view.offset)
		return;
	runs = grouped(answer.profiles);
	turned(offset, PAGE_ROWS, answer.profiles.length, answer.total);
	byId("no-profiles").hidden = runs.length > 0;
	put(byId("no-profiles"), find.trim() ? `No profile of a host or service with “${visible(find.trim())}”.` :
		"No profile yet. Select something above and press Profile.");
	byId("evicted").hidden = !answer.evicted;
	put(byId("evicted"), `${several(answer.evicted, "older profile was", "older profiles were")} removed to bound the disk space.`);
	draw();
}

/* ---- one profile ---- */

export function close() {
	shown = null;
	byId("viewer").hidden = true;
	byId("viewer-frame").replaceChildren();
}

function showParts(run, id) {
	fill(byId("viewer-parts"), "a", run && run.parts.length > 1 ? run.parts : [], p => String(p.id), link => link, (link, p) => {
		link.href = `#profile/${p.id}`;
		link.className = "button quiet";
		put(link, `Part ${run.parts.indexOf(p) + 1}`);
		p.id === id ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
	});
}

export async function open(id) {
	if (shown === id)
		return;
	close();
	shown = id;
	const run = runs.find(r => r.parts.some(p => p.id === id)), profile = run?.parts.find(p => p.id === id);
	put(byId("viewer-title"), profile ? visible(profile.hostname) : `Profile ${id}`);
	put(byId("viewer-sub"), profile ? `${visible(profile.service)} · ${time(profile.start_ms)} · ${seconds(profile)}` +
		(profile.has_page ? "" : " · drawn from the uploaded stacks, which do not tell what was missed or lost") : "");
	put(byId("viewer-state"), "Loading the flame graph …");
	showParts(run, id);
	byId("viewer").hidden = false;
	byId("viewer-back").focus();
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

export function forget() {
	runs = [];
	draw();
	close();
}

/* onChange: another filter or page; onError(text). */
export function start(onChange, onError) {
	[changed, complain] = [onChange, onError];
	turned = pager(byId("profiles-pager"), offset => {
		view.offset = offset;
		changed();
	});
	whenTyped(byId("find-profiles"), () => {
		Object.assign(view, { find: byId("find-profiles").value, offset: 0 });
		changed();
	});
	byId("save-html").addEventListener("click", () =>
		save(`/api/studio/profiles/${shown}/flamegraph`, `pulseprof-${shown}.html`, "application/octet-stream"));
	byId("save-stacks").addEventListener("click", () =>
		save(`/api/studio/profiles/${shown}`, `pulseprof-${shown}.col`, "text/plain"));
}
