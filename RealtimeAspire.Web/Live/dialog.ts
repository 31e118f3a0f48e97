// Asks before something is done, or for what it takes to do it. The browser's own dialog element keeps the focus and gives it back.

import { button, element } from "./parts.js";

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly value?: string;
  readonly type?: "text" | "number" | "date" | "area" | "check";
  readonly options?: readonly { readonly value: string; readonly label: string }[];
  readonly required?: boolean;
  readonly hint?: string;
  readonly most?: number;
}

export interface Question {
  readonly title: string;
  readonly text?: string;
  readonly fields?: readonly Field[];
  /** What the button says. */
  readonly action: string;
  readonly danger?: boolean;
  /** Does it. What it throws is shown, and the dialog stays. */
  act(values: Readonly<Record<string, string>>): void | Promise<void>;
}

let count = 0;

export function ask({ title, text, fields = [], action, danger, act }: Question): void {
  const id = `ask-${++count}`;
  const heading = element("h2", "", title);
  heading.id = id;
  const problem = element("p", "problem");
  problem.role = "alert";
  problem.dataset["testid"] = "dialog-problem";
  const cancel = button("button quiet", "cancel", "", "Cancel");
  const submit = element("button", danger ? "button danger" : "button", action);
  submit.dataset["testid"] = "dialog-act";
  const form = element("form", "ask", heading, ...(text === undefined ? [] : [element("p", "", text)]), ...fields.map((field, index) => row(field, `${id}-${index}`)), problem,
    element("div", "ask-actions", cancel, submit));
  form.noValidate = false;
  const dialog = element("dialog", "ask-dialog", form);
  dialog.setAttribute("aria-labelledby", id);
  dialog.dataset["testid"] = "dialog";
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", ({ target }) => { if (target === dialog) dialog.close(); });
  // What is pressed in a dialog is not for the page below.
  dialog.addEventListener("keydown", event => event.stopPropagation());
  cancel.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", event => {
    event.preventDefault();
    const values = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, `${value}`.trim()]));
    submit.disabled = true;
    Promise.resolve(act(values)).then(() => dialog.close(), (error: Error) => { problem.textContent = error.message; }).finally(() => { submit.disabled = false; });
  });
  document.body.append(dialog);
  dialog.showModal();
  (fields.length === 0 && !danger ? submit : form.querySelector<HTMLElement>("input, select, textarea"))?.focus();
}

function row({ name, label, value = "", type = "text", options, required, hint, most }: Field, id: string): HTMLElement {
  const input = options ? element("select", "field") : type === "area" ? element("textarea", "field") : element("input", type === "check" ? "" : "field");
  input.id = id;
  input.name = name;
  if (input instanceof HTMLSelectElement) {
    input.append(...options!.map(({ value: of, label: says }) => new Option(says, of, of === value, of === value)));
  } else {
    input.required = required ?? false;
    if (most !== undefined && type !== "number") input.maxLength = most;
    if (input instanceof HTMLInputElement) {
      input.type = type === "check" ? "checkbox" : type;
      input.autocomplete = "off";
      if (type === "check") input.checked = value !== "";
      if (type === "number") input.min = "0";
    }
    if (type !== "check") input.value = value;
  }
  input.dataset["testid"] = `field-${name}`;
  const says = element("label", "", label);
  says.htmlFor = id;
  return element("div", type === "check" ? "ask-row tick" : "ask-row", ...(type === "check" ? [input, says] : [says, input]), ...(hint === undefined ? [] : [element("small", "hint", hint)]));
}
