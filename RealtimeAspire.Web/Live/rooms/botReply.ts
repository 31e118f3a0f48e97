// What a bot answers a user alone comes on the user's topic, which the bell follows, and is shown in the room in which he asked.

import type { RealtimeEvents, TopicEvent } from "@realtimeaspire/client";

type ChatReply = RealtimeEvents["chat:reply"];

/** A DOM event on the document; `detail` is the payload. */
export const botReply = "bot-reply";

declare global {
  interface DocumentEventMap {
    [botReply]: CustomEvent<ChatReply>;
  }
}

/** The bell follows the topic from what its inbox already knows on: so nothing from before this page is said again. */
export function passOn({ event, data }: TopicEvent): void {
  if (event === "chat:reply") document.dispatchEvent(new CustomEvent(botReply, { detail: data.payload as ChatReply }));
}
