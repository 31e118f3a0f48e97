using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What stands beside a conversation: pins, search, people, files, and what moderators do.</summary>
[Collection(PageTopology.Name)]
public sealed class RoomPanelScenarios(Topology topology, Browser browser)
{
    /// <summary>A picture, 640 by 480.</summary>
    internal const string Picture = """
        () => new Promise(resolve => {
          const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
          const context = canvas.getContext("2d");
          const sky = context.createLinearGradient(0, 0, 0, 480);
          sky.addColorStop(0, "#1d4e89"); sky.addColorStop(1, "#f7c59f");
          context.fillStyle = sky; context.fillRect(0, 0, 640, 480);
          context.fillStyle = "#0b5f56"; context.beginPath(); context.arc(320, 520, 220, 0, 7); context.fill();
          canvas.toBlob(async blob => resolve(btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer())))), "image/png");
        })
        """;

    [Fact]
    public async Task What_is_pinned_is_found_again_and_what_was_said_is_found_by_its_words()
    {
        var room = WebPages.NewName("library");
        await using var bob = await topology.ConnectAsync("bob");
        for (var i = 1; i <= 120; i++)
        {
            await bob.PublishAsync($"room:{room}", "chat:message", new { text = i == 7 ? "the **kangaroo** jumps, says the kangaroo" : $"message {i}" }, cancellationToken: Topology.Cancelled);
        }

        var (ada, complaints) = await browser.EnterAsync(topology, "ada", room);
        var (grace, _) = await browser.EnterAsync(topology, "grace", room, isPhone: true);
        await Expect(ada.Message("message 120")).ToBeVisibleAsync();

        await ada.GetByTestId("open-pins").ClickAsync();
        await Expect(ada.GetByTestId("side")).ToContainTextAsync("Nothing is pinned");
        await ada.MoreAsync("message 120", "Pin to this room");
        await Expect(ada.GetByTestId("found")).ToContainTextAsync("message 120");
        await Expect(grace.Message("message 120")).ToContainTextAsync("Pinned");
        await ada.ShotAsync("pins-desktop");

        // By keyboard: the words, the first that is found, and the place where it was said.
        await ada.GetByTestId("composer").FocusAsync();
        await ada.Keyboard.PressAsync("Control+k");
        await Expect(ada.GetByTestId("search")).ToBeFocusedAsync();
        await ada.Keyboard.TypeAsync("kangaroo");
        await Expect(ada.GetByTestId("found")).ToHaveCountAsync(1);
        await Expect(ada.GetByTestId("found").Locator("mark")).ToHaveTextAsync(["kangaroo", "kangaroo"]);
        await ada.ShotAsync("search-desktop");
        await ada.GetByTestId("found").PressAsync("Enter");
        await Expect(ada.Locator("li[data-offset='7']")).ToBeFocusedAsync();
        await Expect(ada.Locator("li[data-offset='7']")).ToBeInViewportAsync();

        await grace.GetByTestId("open-search").ClickAsync();
        await grace.GetByTestId("search").FillAsync("kangaroo");
        await Expect(grace.GetByTestId("found")).ToHaveCountAsync(1);
        await grace.ShotAsync("search-phone");
        await grace.GetByTestId("found").ClickAsync();
        await Expect(grace.GetByTestId("side")).ToBeHiddenAsync();
        await Expect(grace.Locator("li[data-offset='7']")).ToBeInViewportAsync();
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task A_picture_and_a_file_are_sent_shown_without_a_shift_and_opened()
    {
        var room = WebPages.NewName("gallery");
        var (ada, complaints) = await browser.EnterAsync(topology, "ada", room);
        var (grace, _) = await browser.EnterAsync(topology, "grace", room, isPhone: true);
        var picture = Convert.FromBase64String(await ada.EvaluateAsync<string>(Picture));

        await ada.GetByTestId("picker").SetInputFilesAsync(
            new FilePayload[] { new() { Name = "view.png", MimeType = "image/png", Buffer = picture }, new() { Name = "notes.txt", MimeType = "text/plain", Buffer = "remember the milk"u8.ToArray() } });
        await Expect(ada.Locator("[data-testid=upload][data-state=done]")).ToHaveCountAsync(2);
        await ada.ShotAsync("upload-desktop");
        await ada.SayAsync("from the hill");
        await Expect(ada.GetByTestId("upload")).ToHaveCountAsync(0);
        await Expect(ada.GetByTestId("file")).ToHaveCountAsync(2);

        await Expect(grace.GetByTestId("file")).ToHaveCountAsync(2);
        // As large as it will be, before anything of it has come.
        await Expect(grace.Locator(".picture img")).ToHaveAttributeAsync("width", "320");
        await Eventually.BecomesTrueAsync(async () => await grace.EvaluateAsync<bool>("() => document.querySelector('.picture img').naturalWidth > 0"), "the picture is not there");
        await ada.ShotAsync("files-desktop");
        await grace.ShotAsync("files-phone");
        await grace.GetByTestId("file").First.ClickAsync();
        await Expect(grace.GetByTestId("lightbox")).ToBeVisibleAsync();
        await grace.ShotAsync("lightbox-phone");
        await grace.Keyboard.PressAsync("Escape");
        await Expect(grace.GetByTestId("lightbox")).ToHaveCountAsync(0);
        var download = await grace.RunAndWaitForDownloadAsync(() => grace.GetByTestId("file").Nth(1).ClickAsync());
        Assert.Equal("notes.txt", download.SuggestedFilename);

        // What the server refuses says why, and stays until it is taken away.
        await ada.GetByTestId("picker").SetInputFilesAsync(new FilePayload { Name = "run.exe", MimeType = "application/octet-stream", Buffer = [0x4d, 0x5a, 0x90, 0, 3] });
        await Expect(ada.GetByTestId("upload")).ToHaveAttributeAsync("data-state", "lost");
        await Expect(ada.GetByTestId("send")).ToBeDisabledAsync();
        await ada.GetByRole(AriaRole.Button, new() { Name = "Remove run.exe" }).ClickAsync();
        await Expect(ada.GetByTestId("upload")).ToHaveCountAsync(0);

        // One's own file alone, dropped: a message of nothing else.
        await ada.EvaluateAsync("""
            async () => {
              const canvas = Object.assign(document.createElement("canvas"), { width: 60, height: 40 });
              canvas.getContext("2d").fillRect(0, 0, 60, 40);
              const data = new DataTransfer();
              data.items.add(new File([await new Promise(resolve => canvas.toBlob(resolve))], "dropped.png", { type: "image/png" }));
              document.querySelector("[data-part=room]").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
            }
            """);
        await Expect(ada.Locator("[data-testid=upload][data-state=done]")).ToHaveCountAsync(1);
        await ada.GetByTestId("send").ClickAsync();
        await Expect(grace.GetByTestId("file")).ToHaveCountAsync(3);
        await Expect(grace.GetByTestId("message-text")).ToHaveTextAsync(["from the hill"]);
        // The browser's console tells of the refusal.
        Assert.All(complaints, complaint => Assert.Contains("Failed to load resource", complaint, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_room_is_made_people_are_in_it_and_its_moderator_keeps_order()
    {
        var (owner, joe, mallory) = (WebPages.NewName("ada"), WebPages.NewName("joe"), WebPages.NewName("mallory"));
        var title = WebPages.NewName("Garden");
        var (ada, complaints) = await browser.OpenAsync();
        await ada.SignInAsync(topology, owner);
        await ada.GetByTestId("new-room").ClickAsync();
        await ada.GetByRole(AriaRole.Menuitem, new() { Name = "New room" }).ClickAsync();
        await ada.GetByTestId("field-title").FillAsync(title);
        await ada.GetByTestId("field-kind").SelectOptionAsync("private");
        await ada.GetByTestId("field-description").FillAsync("What grows, and when");
        await ada.GetByTestId("field-members").FillAsync($"{joe}, {mallory}");
        await ada.ShotAsync("new-room-desktop");
        await ada.GetByTestId("dialog-act").ClickAsync();
        await ada.BecomesAsync("connected");
        await Expect(ada.GetByTestId("room-title")).ToHaveTextAsync(title);
        await Expect(ada.GetByTestId("room-about")).ToHaveTextAsync("What grows, and when");
        var address = ada.Url;

        var (phone, _) = await browser.OpenAsync(width: 390, height: 844);
        await phone.SignInAsync(topology, joe);
        await phone.GotoAsync(address);
        await phone.BecomesAsync("connected");
        await using var troll = await topology.ConnectAsync(mallory);
        var topic = $"room:{new Uri(address).Segments[^1]}";
        await troll.PublishAsync(topic, "chat:message", new { text = "buy cheap seeds" }, cancellationToken: Topology.Cancelled);
        await phone.MoreAsync("buy cheap", "Report");
        await phone.GetByTestId("field-reason").FillAsync("spam");
        await phone.GetByTestId("dialog-act").ClickAsync();
        await Expect(phone.GetByTestId("room-said")).ToHaveTextAsync("Reported. Thank you.");
        // Who is no moderator has none of a moderator's tools.
        await phone.ToolAsync("buy cheap", "More to do");
        await Expect(phone.GetByRole(AriaRole.Menuitem, new() { Name = "Delete" })).ToHaveCountAsync(0);
        await phone.Keyboard.PressAsync("Escape");

        await ada.GetByTestId("room-menu").ClickAsync();
        await ada.GetByRole(AriaRole.Menuitem, new() { Name = "Reports" }).ClickAsync();
        await Expect(ada.GetByTestId("report")).ToContainTextAsync("spam");
        await ada.ShotAsync("reports-desktop");
        await ada.MoreAsync("buy cheap", "Delete");
        await ada.GetByTestId("dialog-act").ClickAsync();
        await Expect(phone.GetByTestId("message-deleted")).ToHaveCountAsync(1);
        await ada.GetByRole(AriaRole.Button, new() { Name = "Resolve the report" }).ClickAsync();
        await ada.GetByTestId("field-resolution").FillAsync("deleted");
        await ada.GetByTestId("dialog-act").ClickAsync();
        await Expect(ada.GetByTestId("side")).ToContainTextAsync("Nothing has been reported");

        // Those who are here come first; who is banned is out at once.
        await ada.GetByTestId("people").ClickAsync();
        await Expect(ada.GetByTestId("person")).ToHaveCountAsync(3);
        await Expect(ada.GetByTestId("person").Last).ToContainTextAsync("Not here");
        await ada.ShotAsync("people-desktop");
        await ada.GetByRole(AriaRole.Button, new() { Name = $"More about {mallory}" }).ClickAsync();
        await ada.GetByRole(AriaRole.Menuitem, new() { Name = "Ban from this room" }).ClickAsync();
        await ada.GetByTestId("dialog-act").ClickAsync();
        await Expect(ada.Locator($"[data-user='{mallory}']")).ToContainTextAsync("banned");
        await Assert.ThrowsAnyAsync<Exception>(() => troll.PublishAsync(topic, "chat:message", new { text = "again" }, cancellationToken: Topology.Cancelled));

        await ada.GetByRole(AriaRole.Button, new() { Name = $"More about {joe}" }).ClickAsync();
        await ada.GetByRole(AriaRole.Menuitem, new() { Name = "Mute" }).ClickAsync();
        await ada.GetByTestId("dialog-act").ClickAsync();
        await Expect(ada.GetByTestId("room-said")).ToHaveTextAsync($"{joe} is muted.");
        await topology.IsMutedEverywhereAsync(new Uri(address).Segments[^1], joe);
        await phone.SayAsync("but I only reported");
        await Expect(phone.Locator("[data-state=failed]")).ToHaveCountAsync(1);

        await ada.GetByRole(AriaRole.Button, new() { Name = $"More about {joe}" }).ClickAsync();
        await ada.GetByRole(AriaRole.Menuitem, new() { Name = "Write to this person alone" }).ClickAsync();
        await ada.BecomesAsync("connected");
        await Expect(ada.GetByTestId("room-title")).ToHaveTextAsync(joe);
        await ada.SayAsync("sorry, I will let you write again");
        await ada.GotoAsync(topology.Web.ToString());
        await Expect(ada.GetByTestId("room-list")).ToContainTextAsync(joe);
        await ada.ShotAsync("rooms-desktop");
        Assert.Empty(complaints);
    }
}
