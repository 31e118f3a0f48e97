// The markup comes from Room.razor; the modules find their elements by data-part.

export function part<T extends HTMLElement>(root: HTMLElement, name: string): T {
  const element = root.querySelector<T>(`[data-part="${name}"]`);
  if (!element) throw new Error(`The room has no part "${name}".`);
  return element;
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K, className = "", ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const created = document.createElement(tag);
  if (className) created.className = className;
  created.append(...children);
  return created;
}

/** Told apart by its action where somebody listens to many; `label` where its content does not say what it does. */
export function button(className: string, action: string, label = "", ...children: (Node | string)[]): HTMLButtonElement {
  const created = element("button", className, ...children);
  created.type = "button";
  created.dataset["action"] = action;
  if (label !== "") created.ariaLabel = label;
  return created;
}

const icons = {
  react: "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18ZM8.5 14.5a4.5 4.5 0 0 0 7 0M9 9.5v.01M15 9.5v.01",
  reply: "M9.5 6 4 11.5 9.5 17M4.5 11.5H14a6 6 0 0 1 6 6v.5",
  thread: "M4 5.5h16v10H10l-4 4v-4H4ZM8 9h8M8 12h5",
  edit: "m5 19 1-4L16.5 4.5l3 3L9 18ZM14 7l3 3",
  more: "M5 12v.01M12 12v.01M19 12v.01",
} as const;

export function icon(name: keyof typeof icons): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const attributes = { class: name === "more" ? "icon dots" : "icon", viewBox: "0 0 24 24", width: "20", height: "20", fill: "none", stroke: "currentColor", "stroke-width": "1.75", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" };
  for (const [attribute, value] of Object.entries(attributes)) svg.setAttribute(attribute, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", icons[name]);
  svg.append(path);
  return svg;
}
