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
