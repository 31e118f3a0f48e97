// A room's messages or those of one thread, on the page: drives the value in room.ts with what the server tells, and draws it with a
// list and a composer. liveRoom.ts owns the subscription and hands its events on.

import { newId, type PresenceStatus, type RealtimeError, type Recovery, type TopicEvent } from "@realtimeaspire/client";
import { showAside, type Aside } from "./asides.js";
import { Composer, type Written } from "./composer.js";
import { ask } from "../dialog.js";
import { showEdits } from "./editsDialog.js";
import type { Pictures } from "./files.js";
import { Kept } from "../kept.js";
import type { MenuItem } from "../menu.js";
import { dayOf, MessageList } from "./messageList.js";
import { mayComeBack, type Outcome, type PageClient } from "../pageClient.js";
import { part } from "../parts.js";
import { showPerson } from "../people/personCard.js";
import { showReaders } from "./readersDialog.js";
import { readMessage, readPast, roomPath, type Past, type Place } from "./roomHistory.js";
import * as rooms from "./room.js";
import { missingQuotes, quoted, rows, type Older, type Quote, type View } from "./rows.js";
import type { FileInfo } from "./body.js";

/** Lines kept on a page that stays open; what is beyond them is read again when it is wanted. */
const keptLines = 500;
/** Milliseconds for which what is missing is gathered before it is asked for. */
const askAfter = 50;

/** What a conversation needs of the page around it. */
export interface Around {
  readonly page: PageClient;
  readonly topic: string;
  readonly me: string;
  readonly pictures: Pictures;
  /** Files that this user has uploaded. */
  readonly files: Map<string, FileInfo>;
  people(): readonly string[];
  commands(): readonly { readonly name: string; readonly detail?: string }[];
  /** What an author is called. */
  nameOf(user: string): string;
  /** How an author is, where he is here. */
  statusOf(user: string): PresenceStatus | undefined;
  typed(): void;
  wrote(): void;
  say(text: string): void;
  openThread(offset: number): void;
  /** Somewhere in the room. */
  jump(offset: number): void;
  /** What this user may do to a message beside what its toolbar offers. */
  menu(message: rooms.Message): readonly MenuItem[];
  /** True: it is a command, and done, or `refused`. */
  command(text: string, thread: number | null, refused: () => void): boolean;
  /** Something was drawn, or has come before the reader's eyes. */
  changed(): void;
}

export class Conversation {
  readonly #root: HTMLElement;
  readonly #around: Around;
  readonly #list: MessageList;
  readonly #composer: Composer;
  readonly #kept: Kept;
  readonly #quotes = new Map<number, Quote | null>();
  readonly #asked = new Set<number>();
  #room: rooms.Room;
  #view: Partial<View> = {};
  #older: Older = "there";
  #newer: Older = "there";
  #loading: "waiting" | "here" | "shown" = "waiting";
  #drawing: ReturnType<typeof setTimeout> | undefined;
  #asking: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #news = 0;

  constructor(root: HTMLElement, around: Around, thread: number | null) {
    const { page, topic, me, pictures } = around;
    this.#root = root;
    this.#around = around;
    this.#kept = new Kept(me, topic, thread);
    const failed = this.#kept.failed.map(draft => ({ ...draft, state: "failed" as const }));
    this.#room = rooms.takeOver(rooms.openRoom(topic, me, failed, thread), page.client.pending);
    this.#list = new MessageList(root, {
      retry: id => this.#sendAgain(id),
      discard: id => this.#change(rooms.discard(this.#room, id)),
      older: () => void this.loadOlder(),
      newer: () => void this.#loadNewer(),
      newest: () => this.toNewest(),
      read: () => around.changed(),
      react: (offset, emoji) => this.#react(offset, emoji),
      reply: offset => this.#reply(offset),
      thread: offset => around.openThread(offset),
      edit: offset => this.#edit(offset),
      remove: offset => this.#remove(offset),
      jump: offset => around.jump(offset),
      file: (offset, id) => this.#openFile(offset, id),
      edits: offset => this.#edits(offset),
      readers: offset => this.#readers(offset),
      person: offset => this.#person(offset),
      offered: offset => this.#offered(offset),
      leave: () => this.#composer.focus(),
    }, { me, pictures, statusOf: user => around.statusOf(user) });
    this.#composer = new Composer(root, page, `${roomPath(topic)}/attachments`, this.#kept.text, {
      send: written => this.#write(written),
      edit: (offset, text, mentions) => this.#act(rooms.chatEdit, offset, { text, ...(mentions.length > 0 && { mentions }) }),
      changed: text => { this.#kept.text = text; },
      typed: () => around.typed(),
      editLast: () => this.#editLast(),
      people: () => this.#people(),
      commands: () => around.commands(),
    });
    this.draw();
  }

  get room(): rooms.Room {
    return this.#room;
  }

  /** The reader has the newest before his eyes. */
  get isRead(): boolean {
    return this.#list.atBottom && !this.#room.ahead;
  }

  /** How many messages by others have come since it was last asked. */
  takeNews(): number {
    const news = this.#news;
    this.#news = 0;
    return news;
  }

  dispose(): void {
    this.#closed = true;
    clearTimeout(this.#drawing);
    clearTimeout(this.#asking);
    this.#list.dispose();
  }

  focus(): void {
    this.#composer.focusIfKeyboard();
  }

  /** The conversation is here, as far as it is shown at first. */
  opened(): void {
    if (this.#loading === "waiting") this.#loading = "here";
    this.redraw();
  }

  /** Of a thread: the message that began it, and a page of what was answered. */
  begin(root: rooms.Told, past: Past): void {
    this.#change(rooms.unfold(rooms.moveTo(this.#room, past.messages, past.hasBefore, past.hasAfter), [root], !past.hasBefore));
  }

  receive(event: TopicEvent): void {
    this.#change(rooms.receive(this.#room, event));
  }

  lose(recovery: Extract<Recovery, "gap" | "new_epoch">): void {
    this.#change(rooms.lose(this.#room, recovery));
  }

  /** False: it is of nothing that was written here. */
  learn(outcome: Outcome): boolean {
    if (!this.#room.known.has(outcome.id)) return false;
    this.#change("reply" in outcome ? rooms.confirm(this.#room, outcome.id, outcome.reply) : rooms.fail(this.#room, outcome.id, outcome.error.message));
    return true;
  }

  pending(): void {
    this.#change(rooms.takeOver(this.#room, this.#around.page.client.pending));
  }

  /** What there is beside the messages. */
  look(view: Partial<View>): void {
    this.#view = { ...this.#view, ...view };
    this.redraw();
  }

  /** What can be written here is known better than before. */
  offer(): void {
    this.#composer.offer();
    this.redraw();
  }

  /** Says something to this user alone. */
  tell(aside: Aside): void {
    showAside(part(this.#root, "asides"), aside, () => this.#composer.focus());
  }

  /** Messages as the server has them. */
  describe(messages: readonly rooms.Told[]): void {
    this.#change(rooms.describe(this.#room, messages));
  }

  /** What was said before the oldest message that is here. */
  async loadOlder(): Promise<void> {
    const before = rooms.oldest(this.#room);
    if (this.#room.complete || before === 1 || this.#older === "loading") return;
    await this.#load(state => { this.#older = state; }, before === undefined ? {} : { before }, past =>
      // Where the window has moved meanwhile, there may be more between this page and what is here.
      rooms.oldest(this.#room) === before
        ? this.#change(rooms.trim(rooms.unfold(this.#room, past.messages, !past.hasBefore), keptLines, this.#list.atBottom ? "oldest" : "newest"))
        : this.loadOlder());
  }

  async #loadNewer(): Promise<void> {
    const after = rooms.newest(this.#room);
    if (!this.#room.ahead || after === undefined || this.#newer === "loading") return;
    await this.#load(state => { this.#newer = state; }, { after }, past =>
      rooms.newest(this.#room) === after ? this.#change(rooms.trim(rooms.follow(this.#room, past.messages, past.hasAfter), keptLines)) : this.#loadNewer());
  }

  async #load(state: (now: Older) => void, place: Place, use: (past: Past) => Promise<void> | void): Promise<void> {
    const { generation } = this.#room;
    state("loading");
    this.redraw();
    try {
      const past = await readPast(this.#around.page, this.#room.topic, place, this.#room.thread);
      if (this.#closed) return;
      state("there");
      if (generation === this.#room.generation) await use(past);
    } catch {
      // The list says so, and asks again when the reader does.
      state("failed");
    }
    this.redraw();
  }

  /** Shows a page around some message, and that message in it. */
  goTo(past: Past, offset: number, focus = true): void {
    this.#change(rooms.moveTo(this.#room, past.messages, past.hasBefore, past.hasAfter));
    this.draw();
    this.#list.show(offset, focus);
  }

  /** False: it is not here. */
  show(offset: number, focus = true): boolean {
    return rooms.find(this.#room, offset) !== undefined && this.#list.show(offset, focus);
  }

  toNewest(): void {
    const wasAhead = this.#room.ahead !== null;
    this.#change(rooms.toNewest(this.#room));
    this.draw();
    this.#list.showNewest(wasAhead ? "instant" : "smooth");
  }

  #people(): readonly string[] {
    const authors = this.#room.lines.flatMap(line => (line.kind === "message" ? [line.author] : [])).reverse();
    return [...new Set([...authors, ...this.#around.people()])].filter(name => name !== "" && name !== this.#room.me && this.#around.nameOf(name) === name);
  }

  #react(offset: number, emoji: string): void {
    const reaction = rooms.find(this.#room, offset)?.reactions.find(known => known.emoji === emoji);
    this.#act(rooms.chatReaction, offset, { emoji, on: !reaction?.users.includes(this.#room.me) });
  }

  #reply(offset: number): void {
    const message = rooms.find(this.#room, offset);
    if (!message) return;
    const { author, text } = quoted(message);
    this.#composer.reply(offset, `${author === this.#room.me ? "yourself" : this.#around.nameOf(author)}: ${text}`);
  }

  #edit(offset: number): void {
    const message = rooms.find(this.#room, offset);
    if (message) this.#composer.edit(offset, message.text);
  }

  #editLast(): void {
    const last = this.#room.lines.findLast(line => line.kind === "message" && line.author === this.#room.me && !line.deleted && line.generation === this.#room.generation);
    if (last) this.#edit(last.offset);
  }

  #remove(offset: number): void {
    const message = rooms.find(this.#room, offset);
    if (!message) return;
    const { text } = quoted(message);
    ask({
      title: "Delete this message for everybody?", text, action: "Delete", danger: true,
      act: () => message.author === this.#room.me
        ? this.#act(rooms.chatDelete, offset, {})
        : this.#around.page.ask("DELETE", `${roomPath(this.#room.topic)}/messages/${offset}`).then(() => { /* it comes as an event */ }),
    });
  }

  #openFile(offset: number, id: string): void {
    const file = rooms.find(this.#room, offset)?.files.find(one => one.id === id);
    if (file) this.#around.pictures.open(file).catch(() => this.#around.say(`${file.name} cannot be loaded right now.`));
  }

  #edits(offset: number): void {
    showEdits(this.#around.page, this.#room.topic, offset, () => this.#list.itemOf(offset));
  }

  #readers(offset: number): void {
    showReaders(this.#around.page, this.#room.topic, offset, this.#room.me, () => this.#list.itemOf(offset));
  }

  /** Who has written a message; of oneself and of a bot there is nothing to say. */
  #person(offset: number): void {
    const item = this.#list.itemOf(offset);
    const about = item?.querySelector<HTMLElement>("[data-person]");
    if (item && about) void showPerson(about, about.dataset["person"]!, this.#around.page);
  }

  #offered(offset: number): ReturnType<ConstructorParameters<typeof MessageList>[1]["offered"]> {
    const message = rooms.find(this.#room, offset);
    if (!message || message.deleted) return undefined;
    const mine = message.author === this.#room.me;
    const pin: MenuItem = { name: "pin", label: message.pinned ? "Unpin" : "Pin to this room", act: () => this.#act(rooms.chatPin, offset, { on: !message.pinned }) };
    const remove: MenuItem = { name: "delete", label: "Delete", danger: true, act: () => this.#remove(offset) };
    const more = this.#around.menu(message);
    const name = this.#around.nameOf(message.author);
    const about: readonly MenuItem[] = [
      ...(mine ? [{ name: "readers", label: "Who has read it", act: () => this.#readers(offset) }] : []),
      ...(message.edited ? [{ name: "edits", label: "What it said before", act: () => this.#edits(offset) }] : []),
      ...(mine || name !== message.author ? [] : [{ name: "person", label: `Who is ${name}`, act: () => this.#person(offset) }]),
    ];
    return {
      offset, author: message.author, mine, thread: this.#room.thread === null,
      menu: [pin, ...about, ...more.filter(({ danger }) => !danger), ...more.filter(({ danger }) => danger), ...(mine || more.some(({ name }) => name === "mute") ? [remove] : [])],
    };
  }

  #act(event: string, offset: number, payload: unknown): void {
    this.#around.say(this.#isConnected ? "" : "What you did is done when the connection is back.");
    this.#around.page.act(this.#room.topic, event, offset, payload);
  }

  #write({ text, replyTo, mentions, files }: Written): void {
    this.#around.wrote();
    if (files.length === 0 && this.#around.command(text, this.#room.thread, () => this.#composer.restore(text))) return;
    for (const file of files) this.#around.files.set(file.id, file);
    const id = newId();
    const body = { text, replyTo, thread: this.#room.thread, mentions, files };
    this.#change(rooms.write(rooms.toNewest(this.#room), id, body, Date.now()));
    this.draw();
    this.#list.showNewest("instant");
    this.#around.page.send(this.#room.topic, id, body);
  }

  #sendAgain(id: string): void {
    this.#change(rooms.retry(this.#room, id));
    const body = this.#room.drafts.find(draft => draft.id === id)?.body;
    if (body) this.#around.page.send(this.#room.topic, id, body);
  }

  get #isConnected(): boolean {
    return this.#around.page.client.state.name === "connected";
  }

  #change(room: rooms.Room): void {
    if (room === this.#room) return;
    if (room.drafts !== this.#room.drafts) {
      this.#kept.failed = room.drafts.filter(draft => draft.state === "failed").map(({ id, body, at, reason }) => ({ id, body, at, reason: reason ?? "" }));
    }
    this.#room = rooms.know(this.#list.atBottom ? rooms.trim(room, keptLines) : room, this.#around.files);
    this.redraw();
  }

  /** Once for all that comes in one go; not at the next frame: a hidden tab has none, and its title counts. */
  redraw(): void {
    if (!this.#closed) this.#drawing ??= setTimeout(() => this.draw());
  }

  draw(): void {
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
    const drawn = rows(this.#room, { connected: this.#isConnected, dayOf, older: this.#older, newer: this.#newer, quotes: this.#quotes, nameOf: user => this.#around.nameOf(user), ...this.#view });
    this.#news += this.#list.draw(drawn, this.#room.ahead === null);
    const isWaiting = this.#loading === "waiting" && drawn.length === 0;
    part(this.#root, "skeleton").hidden = !isWaiting;
    part(this.#root, "empty").hidden = isWaiting || drawn.length > 0;
    if (this.#loading === "here") {
      this.#loading = "shown";
      this.#list.settled();
    }
    this.#complete();
    this.#around.changed();
  }

  /** The events do not say what a file is; and what is answered may be far away. */
  #complete(): void {
    if (this.#asking || !this.#isConnected) return;
    const files = rooms.undescribed(this.#room).filter(offset => !this.#asked.has(offset));
    const quotes = missingQuotes(this.#room, this.#quotes).filter(offset => !this.#asked.has(offset));
    if (files.length + quotes.length === 0) return;
    this.#asking = setTimeout(() => {
      this.#asking = undefined;
      for (const offset of [...files, ...quotes]) this.#asked.add(offset);
      if (files.length > 0) void this.#describe(files);
      for (const offset of quotes) void this.#quote(offset);
    }, askAfter);
  }

  async #describe(offsets: readonly number[]): Promise<void> {
    const { page, topic } = this.#around;
    const told = await Promise.all(offsets.map(offset => readMessage(page, topic, offset).catch((error: unknown) => this.#missed(offset, error))));
    if (!this.#closed) this.#change(rooms.describe(this.#room, told.filter(one => one !== undefined)));
  }

  async #quote(offset: number): Promise<void> {
    try {
      this.#quotes.set(offset, quoted(await readMessage(this.#around.page, this.#around.topic, offset)));
    } catch (error) {
      if ((error as Partial<RealtimeError>).code !== "message_not_found") return this.#missed(offset, error);
      this.#quotes.set(offset, null);
    }
    this.redraw();
  }

  /** What could not be had this time is asked for with a later drawing. */
  #missed(offset: number, error: unknown): undefined {
    if (mayComeBack(error)) this.#asked.delete(offset);
  }
}
