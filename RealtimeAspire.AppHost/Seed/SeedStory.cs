namespace RealtimeAspire.AppHost.Seed;

internal enum Seeded
{
    Now,
    Before,

    /// <summary>The place is in use.</summary>
    Never,
}

/// <summary>What the people of a first run have said and done. The drawing comes last: where its end is, everything is.</summary>
internal static class SeedStory
{
    private const string General = "room:general";
    private const string Drawing = "canvas:main";
    private const string End = SeedPlace.Prefix + "end";

    private static readonly string[] Ada = ["ada"];

    public static async Task<Seeded> TellAsync(SeedPlace place)
    {
        var first = await place.OldestAsync(General, 1);
        if (first is [var id] && id?.StartsWith(SeedPlace.Prefix, StringComparison.Ordinal) is not true)
            return Seeded.Never;
        if ((await place.OldestAsync(Drawing, 200)).Contains(End))
            return Seeded.Before;

        await TalkAsync(place);
        await LaunchAsync(place);
        await ReviewAsync(place);
        await place.PutAsync("grace", "/presence", new { status = "dnd", text = "Compiling. Do not feed." });
        await place.PutAsync("joan", "/presence", new { text = "Drawing on Together" });
        await place.NotifyAsync("ada", "invitation", "Joan invites you to draw", "The map of the launch is on Together.", "/together");
        await place.NotifyAsync("ada", "system", "Welcome", "Everything here is yours to try. Nothing leaves this machine.", "/rooms/general");
        await DrawAsync(place);
        return Seeded.Now;
    }

    private static async Task TalkAsync(SeedPlace place)
    {
        var hello = await SayAsync(place, "linus", General, "Morning! The new nodes are up, both of them.");
        await ReactAsync(place, General, hello, "🎉", "ada", "grace", "joan");
        await SayAsync(place, "ada", General, "I killed one of them twenty minutes ago. Did anybody notice?");
        var nobody = await SayAsync(place, "grace", General, "No. I was in the middle of a **long** message and it just went on.");
        await ReactAsync(place, General, nobody, "👀", "linus", "ada");
        await SayAsync(place, "joan", General, "My phone was in the lift at the time. It has everything, in order.");
        var question = await SayAsync(place, "joan", General, "Who brings what to the lunch on Friday?");
        foreach (var (who, what) in ((string, string)[])[("ada", "Bread, and the good butter."), ("linus", "I can do a soup."), ("grace", "Nanoseconds. They keep.")])
            await place.PublishAsync(who, General, "chat:message", new { text = what, thread = $"{question}" });
        await ReactAsync(place, General, question, "🥖", "linus");
        await place.PublishAsync("linus", General, "chat:pin", new { on = true }, $"{question}");
        await SayAsync(place, "ada", General, "Try the **Network lab** on the left: cut the network there, write something, and mend it.");
    }

    private static async Task LaunchAsync(SeedPlace place)
    {
        const string Launch = "room:launch";
        await place.PostAsync("grace", "/rooms", new { name = "launch", title = "Launch", description = "What has to be done before Thursday", kind = "public" });
        foreach (var user in (string[])["ada", "linus", "joan"])
            await place.PutAsync(user, "/rooms/launch/membership", body: null);
        var plan = await SayAsync(place, "grace", Launch, "The plan: freeze on Tuesday, soak until Wednesday, post on Thursday at ten.");
        await place.PublishAsync("grace", Launch, "chat:pin", new { on = true }, $"{plan}");
        await ReactAsync(place, Launch, plan, "👍", "ada", "linus", "joan");
        var numbers = await SayAsync(place, "linus", Launch, "Soak has run for nine hours: 41 million events, none lost, none twice.");
        await place.PublishAsync("linus", Launch, "chat:edit", new { text = "Soak has run for eleven hours: 52 million events, none lost, none twice." }, $"{numbers}");
        await ReactAsync(place, Launch, numbers, "🚀", "ada", "grace", "joan");
        await place.PublishAsync("joan", Launch, "chat:message", new { text = "Can I put that on the page as it is?", replyTo = $"{numbers}" });
        await place.PublishAsync("linus", Launch, "chat:message", new { text = "Yes, with the hardware beside it.", thread = $"{numbers}" });
        await place.PublishAsync("ada", Launch, "chat:message", new { text = "And how long the worst reader waited, please.", thread = $"{numbers}" });
        await place.PublishAsync("grace", Launch, "chat:message", new { text = "@ada could you look at the numbers before we post them?", mentions = Ada });
    }

    private static async Task ReviewAsync(SeedPlace place)
    {
        const string Review = "room:code-review";
        await SayAsync(place, "ada", Review, "The fold of the drawing is up. Laws first, pixels second.");
        var law = await SayAsync(place, "linus", Review, "“The same in whatever chunks” is the one that would have caught last week's bug.");
        await ReactAsync(place, Review, law, "💯", "ada", "grace");
        await SayAsync(place, "grace", Review, "One comment on line 40, otherwise fine:\n```ts\nif (!isMore) this.#clear(view);\n```\nsay *why* there.");
        await SayAsync(place, "ada", Review, "Done.");
    }

    private static async Task DrawAsync(SeedPlace place)
    {
        await NoteAsync(place, "joan", "note-freeze", "Freeze", -430, -180, "yellow");
        await NoteAsync(place, "linus", "note-soak", "Soak: nothing lost so far", -90, -200, "teal");
        await NoteAsync(place, "grace", "note-post", "Thursday, ten o'clock", 260, -180, "purple");
        await NoteAsync(place, "ada", "note-lunch", "Lunch is on Friday", 250, 120, "orange");
        await StrokeAsync(place, "joan", "arrow-1", "ink", 4, [-240, -120, -180, -135, -110, -130]);
        await StrokeAsync(place, "joan", "head-1", "ink", 4, [-130, -148, -108, -130, -132, -114]);
        await StrokeAsync(place, "linus", "arrow-2", "ink", 4, [100, -130, 160, -140, 240, -128]);
        await StrokeAsync(place, "linus", "head-2", "ink", 4, [220, -146, 242, -128, 218, -112]);
        await StrokeAsync(place, "grace", "ring", "purple", 4, Circle(350, -120, 135, 95, 48));
        await StrokeAsync(place, "ada", "wave", "teal", 12, Wave(-440, 205, 560, 34));
        await StrokeAsync(place, "ada", "wave-2", "blue", 4, Wave(-440, 255, 560, 26));
        await StrokeAsync(place, "joan", "sun", "yellow", 12, Circle(-330, 45, 46, 46, 32));
        for (var ray = 0; ray < 8; ray++)
        {
            var (cos, sin) = (Math.Cos(ray * Math.PI / 4), Math.Sin(ray * Math.PI / 4));
            await StrokeAsync(place, "joan", $"ray-{ray}", "orange", 4, [-330 + (cos * 62), 45 + (sin * 62), -330 + (cos * 84), 45 + (sin * 84)]);
        }

        await place.PublishAsync("ada", Drawing, "canvas:stroke", new { points = Rounded([250, 260, 300, 250, 350, 268, 430, 252]), colour = "red", width = 4 }, "underline", End);
    }

    private static Task<long> SayAsync(SeedPlace place, string user, string topic, string text) => place.PublishAsync(user, topic, "chat:message", new { text });

    private static async Task ReactAsync(SeedPlace place, string topic, long message, string emoji, params string[] users)
    {
        foreach (var user in users)
            await place.PublishAsync(user, topic, "chat:reaction", new { emoji, on = true }, $"{message}");
    }

    private static Task<long> NoteAsync(SeedPlace place, string user, string name, string text, double x, double y, string colour) =>
        place.PublishAsync(user, Drawing, "canvas:note", new { text, x, y, colour }, name);

    private static Task<long> StrokeAsync(SeedPlace place, string user, string name, string colour, double width, double[] points) =>
        place.PublishAsync(user, Drawing, "canvas:stroke", new { points = Rounded(points), colour, width }, name);

    private static double[] Circle(double x, double y, double width, double height, int points) => [.. Enumerable.Range(0, points + 1)
        .SelectMany(at => (double[])[x + (width * Math.Cos(at * 2 * Math.PI / points)), y + (height * Math.Sin(at * 2 * Math.PI / points))])];

    private static double[] Wave(double x, double y, double length, double height) => [.. Enumerable.Range(0, 41)
        .SelectMany(at => (double[])[x + (length * at / 40), y + (height * Math.Sin(at * Math.PI / 5))])];

    private static double[] Rounded(double[] points) => [.. points.Select(point => Math.Round(point, 1))];
}
