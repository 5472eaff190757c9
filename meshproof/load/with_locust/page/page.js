// Draws what data.json tells, once a second. No library, nothing from elsewhere.
const COLOURS = ["var(--one)", "var(--two)", "#8250df", "#1b7c83", "#bf8700"];
const LEFT = 52, RIGHT = 70, TOP = 8, BOTTOM = 22;

function svg(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function chart(id, most, low, high, shown) {
  const box = document.getElementById(id);
  const width = box.clientWidth, height = box.clientHeight;
  const x = (value) => LEFT + (value / Math.max(most, 1)) * (width - LEFT - RIGHT);
  const y = (value) => height - BOTTOM - ((value - low) / Math.max(high - low, 1e-9)) * (height - TOP - BOTTOM);
  const labels = [];
  const drawn = [svg("path", { class: "axis", d: `M${LEFT} ${TOP}V${height - BOTTOM}H${width - RIGHT}` })];
  for (let step = 0; step <= 4; step += 1) {
    const value = low + ((high - low) * step) / 4;
    drawn.push(svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, shown(value)));
    const at = (most * step) / 4;
    drawn.push(svg("text", { x: x(at), y: height - 6, "text-anchor": "middle" }, Math.round(at).toLocaleString()));
  }
  const path = (points) => points.map(([a, b], place) => `${place ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("");
  return {
    curve: (points, colour, dash) => drawn.push(svg("path", { class: "curve", d: path(points), style: `stroke:${colour};stroke-dasharray:${dash || "none"}` })),
    band: (lows, highs, colour) => drawn.push(svg("path", { class: "band", d: `${path([...lows, ...highs.reverse()])}Z`, style: `fill:${colour}` })),
    level: (value, kind) => drawn.push(svg("path", { class: kind, d: `M${LEFT} ${y(value)}H${width - RIGHT}` })),
    label: (value, text, colour) => labels.push([y(value) + 4, text, colour]),
    done: () => {
      let free = 0;
      for (const [at, text, colour] of labels.sort((one, other) => one[0] - other[0])) {
        free = Math.max(at, free + 12);
        drawn.push(svg("text", { x: width - RIGHT + 6, y: free, style: `fill:${colour}` }, text));
      }
      box.replaceChildren(...drawn);
    },
  };
}

function draw(told) {
  const state = document.getElementById("state");
  state.textContent = told.state;
  state.className = told.state;
  const points = told.points.filter((point) => point.requests > 0);
  document.getElementById("lines").textContent = (told.lines || []).join("\n");
  if (!points.length) {
    for (const id of ["shares", "evidence", "latency"]) document.getElementById(id).replaceChildren();
    document.getElementById("line").textContent = "";
    return;
  }
  const last = points[points.length - 1];
  const most = last.requests;
  document.getElementById("line").textContent =
    `${most.toLocaleString()} requests, e-value ${(10 ** last.evidence).toPrecision(3)}, about ${told.left.toLocaleString()} to go`;

  const others = told.arms.map((_, place) => place).slice(1);
  const around = others.flatMap((arm) => [told.promised[arm] - 0.12, told.promised[arm] + 0.12, last.intervals[arm][0], last.intervals[arm][1]]);
  const low = Math.max(0, Math.min(...around)), high = Math.min(1, Math.max(...around));
  const inside = (value) => Math.min(Math.max(value, low), high);
  const shares = chart("shares", most, low, high, (value) => `${(100 * value).toFixed(1)} %`);
  for (const arm of others) {
    shares.band(points.map((p) => [p.requests, inside(p.intervals[arm][0])]), points.map((p) => [p.requests, inside(p.intervals[arm][1])]), COLOURS[arm]);
    shares.curve(points.map((p) => [p.requests, inside(p.shares[arm])]), COLOURS[arm]);
    shares.label(inside(last.shares[arm]), `${told.arms[arm]} ${(100 * last.shares[arm]).toFixed(1)} %`, COLOURS[arm]);
    shares.level(told.promised[arm], "promise");
    if (told.margin) for (const edge of [-1, 1]) shares.level(inside(told.promised[arm] + edge * told.margin), "limit");
  }
  shares.done();

  const values = points.map((p) => p.evidence);
  const top = Math.max(told.threshold + 0.5, ...values), bottom = Math.min(-1, ...values);
  const evidence = chart("evidence", most, bottom, top, (value) => value.toFixed(1));
  evidence.curve(points.map((p) => [p.requests, p.evidence]), COLOURS[0]);
  evidence.level(told.threshold, "limit");
  evidence.label(told.threshold, "VIOLATE", "var(--bad)");
  evidence.done();

  const seen = points.flatMap((p) => p.latency.flat()).filter((value) => value > 0).map(Math.log10);
  if (!seen.length) return;
  const latency = chart("latency", most, Math.min(...seen), Math.max(...seen) + 0.05, (value) => (10 ** value).toPrecision(2));
  told.arms.forEach((name, arm) => told.quantiles.forEach((quantile, place) => {
    const curve = points.filter((p) => p.latency[arm][place] > 0).map((p) => [p.requests, Math.log10(p.latency[arm][place])]);
    if (!curve.length) return;
    latency.curve(curve, COLOURS[arm], ["none", "6 3", "2 3"][place]);
    latency.label(curve[curve.length - 1][1], `${name} ${quantile}`, COLOURS[arm]);
  }));
  latency.done();
}

async function look() {
  try {
    draw(await (await fetch("data.json")).json());
  } catch (error) {
    document.getElementById("line").textContent = `no answer: ${error}`;
  }
  setTimeout(look, 1000);
}
look();
