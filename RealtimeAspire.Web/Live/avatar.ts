import { element } from "./parts.js";

const hues = 12;

/** The same name has the same colour everywhere; Avatar.razor computes the same. */
export function hueOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193) >>> 0;
  }
  return (hash >>> 16) % hues;
}

export function avatar(name: string): HTMLElement {
  const drawn = element("span", `avatar hue-${hueOf(name)}`, (Array.from(name)[0] ?? "?").toUpperCase());
  drawn.ariaHidden = "true";
  return drawn;
}
