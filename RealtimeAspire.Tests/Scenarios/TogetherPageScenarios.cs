using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>People who draw together: three of them, on two nodes, at a desk and on a phone.</summary>
[Collection(PageTopology.Name)]
public sealed class TogetherPageScenarios(Topology topology, Browser browser, ITestOutputHelper output)
{
    private const int Many = 4_000;

    [Fact]
    public async Task Three_users_on_two_nodes_see_each_others_cursors_strokes_and_notes_and_end_with_the_same_drawing()
    {
        var canvas = WebPages.NewName("sketch");
        var nodes = topology.Nodes();
        await using var one = TcpProxy.Start(nodes[0].Address.Port);
        await using var two = TcpProxy.Start(nodes[1].Address.Port);
        var (ada, complaints) = await OpenAsync("ada", canvas, one);
        var (grace, _) = await OpenAsync("grace", canvas, two);
        var (joan, _) = await OpenAsync("joan", canvas, two, width: 390, height: 844);
        await Expect(ada.Locator("[data-testid=together-people] .person")).ToHaveCountAsync(3);
        await Expect(ada.GetByTestId("together-said-people")).ToHaveTextAsync("joan is here");

        // While somebody draws his cursor moves at the others', and is where it was last.
        await DrawAsync(ada, [(200, 200), (320, 260), (430, 210), (540, 300)]);
        foreach (var page in (IPage[])[grace, joan])
        {
            await Expect(CursorOf(page, "ada")).ToBeVisibleAsync();
            await HasAsync(page, 1);
        }

        var before = await CursorOf(grace, "ada").EvaluateAsync<string>("cursor => cursor.style.transform");
        await ada.Mouse.MoveAsync(700, 450);
        await Expect(CursorOf(grace, "ada")).Not.ToHaveAttributeAsync("style", $"transform: {before};");

        await DrawAsync(grace, [(300, 420), (420, 380), (500, 460), (620, 400)], ink: "blue");
        await PlaceNoteAsync(grace, "Where shall we begin?");
        await DrawByTouchAsync(joan, [(90, 300), (140, 260), (200, 330), (280, 300)]);
        await HasAsync(ada, 4);
        await HasAsync(joan, 4);
        await Expect(CursorOf(ada, "grace")).ToBeVisibleAsync();
        await Expect(CursorOf(ada, "joan")).ToBeVisibleAsync();
        await ShootAsync(ada, "together-desktop");
        await ShootAsync(joan, "together-phone");

        // One is cut off, draws, takes one of it back, moves the note and comes back; meanwhile the others go on.
        two.BeginRefusing();
        two.Cut();
        await grace.BecomesAsync("reconnecting");
        await DrawAsync(grace, [(200, 560), (400, 540), (560, 580)], ink: "green");
        await DrawAsync(grace, [(240, 600), (300, 620)], ink: "red");
        await grace.GetByTestId("undo").ClickAsync();
        await grace.GetByTestId("note").FocusAsync();
        await grace.Keyboard.PressAsync("Shift+ArrowRight");
        await grace.Keyboard.PressAsync("ArrowDown");
        await HasAsync(grace, 5);
        await DrawAsync(ada, [(760, 200), (860, 300), (760, 400)]);
        await HasAsync(ada, 5);
        await ShootAsync(grace, "together-offline-desktop");
        two.EndRefusing();
        await grace.BecomesAsync("connected");
        await joan.BecomesAsync("connected");
        await AreTheSameAsync(6, ada, grace, joan);

        // Who comes later, on any node, has it too.
        var (late, _) = await OpenAsync("late", canvas, one);
        await AreTheSameAsync(6, ada, late);

        // A tab that is killed takes its cursor along, and its place among those who are here.
        await ada.Mouse.MoveAsync(500, 300);
        await Expect(CursorOf(late, "ada")).ToBeVisibleAsync();
        await KeepMovingAsync(grace);
        await Expect(CursorOf(late, "grace")).ToBeVisibleAsync();
        await grace.Context.CloseAsync();
        await Expect(CursorOf(late, "grace")).ToHaveCountAsync(0);
        await Expect(late.Locator("[data-testid=together-people] [data-user=grace]")).ToHaveCountAsync(0);
        await Expect(late.GetByTestId("together-said-people")).ToHaveTextAsync("grace has left");
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task Notes_are_placed_moved_written_and_taken_away_without_a_pointer_and_read_as_a_list()
    {
        var canvas = WebPages.NewName("keys");
        var (ada, complaints) = await OpenAsync("ada", canvas);
        var (bob, _) = await OpenAsync("bob", canvas, width: 390, height: 844);
        await ada.GetByTestId("surface").FocusAsync();
        await ada.Keyboard.PressAsync("n");
        await ada.Keyboard.TypeAsync("buy milk");
        await ada.Keyboard.PressAsync("Enter");
        await Expect(ada.GetByTestId("note")).ToBeFocusedAsync();
        await Expect(bob.GetByRole(AriaRole.Group, new() { Name = "Note by ada: buy milk" })).ToBeVisibleAsync();
        var placed = await NoteAsync(bob);

        await ada.Keyboard.PressAsync("ArrowRight");
        await ada.Keyboard.PressAsync("ArrowRight");
        await ada.Keyboard.PressAsync("Shift+ArrowUp");
        await Eventually.BecomesTrueAsync(async () => await NoteAsync(bob) is var (x, y) && Math.Abs(x - placed.X - 20) < 0.5 && Math.Abs(y - placed.Y + 40) < 0.5, "the note is not where it was moved to");
        await Expect(bob.GetByTestId("note")).ToHaveAttributeAsync("data-moving", "false");

        await ada.Keyboard.PressAsync("Enter");
        await ada.GetByTestId("note-field").FillAsync("buy oat milk");
        await ada.Keyboard.PressAsync("Enter");
        await bob.GetByTestId("note-list-button").ClickAsync();
        await Expect(bob.GetByTestId("note-list").GetByRole(AriaRole.Button)).ToHaveTextAsync("buy oat milkada");
        await ShootAsync(bob, "together-notes-phone");

        // The list is drawn again when somebody moves a note; who goes through it by keyboard stays where he is.
        await bob.GetByTestId("note-list").GetByRole(AriaRole.Button).FocusAsync();
        var before = await NoteAsync(bob);
        await ada.Keyboard.PressAsync("ArrowDown");
        await Eventually.BecomesTrueAsync(async () => await NoteAsync(bob) is var (_, y) && y > before.Y, "the note is not where it was moved to");
        await Expect(bob.GetByTestId("note-list").GetByRole(AriaRole.Button)).ToBeFocusedAsync();
        await bob.GetByTestId("note-list").GetByRole(AriaRole.Button).ClickAsync();
        await bob.Keyboard.PressAsync("Escape");
        await bob.GetByTestId("note").FocusAsync();
        await bob.Keyboard.PressAsync("Delete");
        await Expect(bob.GetByTestId("together-said")).ToHaveTextAsync("Only ada can take this note away.");

        await ada.Keyboard.PressAsync("Delete");
        await Expect(bob.GetByTestId("note")).ToHaveCountAsync(0);
        await Expect(ada.GetByTestId("surface")).ToBeFocusedAsync();
        await ada.Keyboard.PressAsync("n");
        await ada.Keyboard.PressAsync("Escape");
        await Expect(ada.GetByTestId("note")).ToHaveCountAsync(0);
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task What_was_undone_is_gone_for_everybody_can_be_done_again_and_clearing_leaves_nothing_behind()
    {
        var canvas = WebPages.NewName("undo");
        var (ada, complaints) = await OpenAsync("ada", canvas);
        var (bob, _) = await OpenAsync("bob", canvas);
        await DrawAsync(ada, [(300, 200), (500, 300)]);
        await DrawAsync(bob, [(300, 400), (500, 300)]);
        await HasAsync(ada, 2);

        await ada.Keyboard.PressAsync("Control+z");
        await HasAsync(bob, 1);
        await Expect(ada.GetByTestId("undo")).ToBeDisabledAsync();
        await ada.GetByTestId("redo").ClickAsync();
        await HasAsync(bob, 2);
        await AreTheSameAsync(2, ada, bob);

        bob.Dialog += (_, dialog) => dialog.AcceptAsync();
        await bob.GetByTestId("clear").ClickAsync();
        await HasAsync(ada, 0);
        await Expect(ada.GetByText("Draw something.")).ToBeVisibleAsync();
        await ada.ReloadAsync();
        await IsOpenAsync(ada);
        await HasAsync(ada, 0);
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task A_drawing_of_thousands_of_strokes_opens_in_a_moment()
    {
        var canvas = WebPages.NewName("mural");
        await using var bob = await topology.ConnectAsync("bob");
        await Parallel.ForAsync(0, Many, new ParallelOptions { MaxDegreeOfParallelism = 200, CancellationToken = Topology.Cancelled }, async (i, cancelled) =>
        {
            var (x, y) = (i % 80 * 20, i / 80 * 20);
            var points = Enumerable.Range(0, 16).SelectMany(at => (double[])[Math.Round(x + (Math.Cos(at * 0.4) * 9), 1), Math.Round(y + (Math.Sin(at * 0.4) * 9), 1)]).ToArray();
            await bob.PublishAsync($"canvas:{canvas}", "canvas:stroke", new { points, colour = i % 3 == 0 ? "teal" : "purple", width = 2 }, entityId: $"s{i}", cancellationToken: cancelled);
        });
        var (ada, complaints) = await OpenAsync("ada", WebPages.NewName("sheet"));
        var empty = await ReopenAsync(ada);
        await ada.GotoAsync(new Uri(topology.Web, $"/together/{canvas}").ToString());
        await HasAsync(ada, Many);
        var opened = Math.Min(await ReopenAsync(ada), await ReopenAsync(ada));
        output.WriteLine($"{Many} strokes are there {opened:0} ms after the page was asked for, none after {empty:0} ms");
        Assert.True(opened < empty * 5, $"{Many} strokes took {opened:0} ms to open, none {empty:0} ms.");
        await ShootAsync(ada, "together-mural-desktop");

        // One more stroke costs no more than on an empty page.
        await DrawAsync(ada, [(300, 200), (500, 300)]);
        await HasAsync(ada, Many + 1);
        Assert.Empty(complaints);
    }

    private async Task<(IPage Page, List<string> Complaints)> OpenAsync(string user, string canvas, TcpProxy? network = null, int width = 1280, int height = 800)
    {
        var (page, complaints) = await browser.OpenAsync(width, height, isFree: network is not null);
        await page.SignInAsync(topology, user);
        if (network is not null)
        {
            await page.GoThroughAsync(network);
        }

        await page.GotoAsync(new Uri(topology.Web, $"/together/{canvas}").ToString());
        await page.BecomesAsync("connected");
        await IsOpenAsync(page);
        return (page, complaints);
    }

    /// <summary>How many milliseconds a page takes that is loaded again, until all is there.</summary>
    private static async Task<double> ReopenAsync(IPage page)
    {
        await page.ReloadAsync();
        await IsOpenAsync(page);
        return await page.EvaluateAsync<double>("() => performance.now()");
    }

    private static Task IsOpenAsync(IPage page) => Expect(page.GetByTestId("together")).ToHaveAttributeAsync("data-open", "true");

    private static Task HasAsync(IPage page, int count) => Expect(page.GetByTestId("together")).ToHaveAttributeAsync("data-count", $"{count}");

    private static ILocator CursorOf(IPage page, string user) => page.Locator($"[data-testid=cursor][data-user={user}]");

    /// <summary>On the surface, in pixels of it.</summary>
    private static async Task DrawAsync(IPage page, (float X, float Y)[] points, string ink = "ink")
    {
        await page.Locator($"[data-ink={ink}]").ClickAsync();
        var surface = (await page.GetByTestId("surface").BoundingBoxAsync())!;
        await page.Mouse.MoveAsync(surface.X + points[0].X, surface.Y + points[0].Y);
        await page.Mouse.DownAsync();
        foreach (var (x, y) in points[1..])
        {
            await page.Mouse.MoveAsync(surface.X + x, surface.Y + y, new() { Steps = 8 });
        }

        await page.Mouse.UpAsync();
    }

    private static async Task DrawByTouchAsync(IPage page, (float X, float Y)[] points)
    {
        var surface = (await page.GetByTestId("surface").BoundingBoxAsync())!;
        var finger = await page.Context.NewCDPSessionAsync(page);
        await TouchAsync("touchStart", points[0]);
        foreach (var point in points[1..])
        {
            await TouchAsync("touchMove", point);
        }

        await finger.SendAsync("Input.dispatchTouchEvent", new() { ["type"] = "touchEnd", ["touchPoints"] = Array.Empty<object>() });

        Task TouchAsync(string type, (float X, float Y) at) => finger.SendAsync(
            "Input.dispatchTouchEvent",
            new() { ["type"] = type, ["touchPoints"] = new[] { new Dictionary<string, object> { ["x"] = surface.X + at.X, ["y"] = surface.Y + at.Y } } });
    }

    private static async Task PlaceNoteAsync(IPage page, string text)
    {
        await page.GetByTestId("note-button").ClickAsync();
        await page.GetByTestId("note-field").FillAsync(text);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByTestId("note")).ToContainTextAsync(text);
    }

    private static async Task KeepMovingAsync(IPage page)
    {
        var surface = (await page.GetByTestId("surface").BoundingBoxAsync())!;
        await page.Mouse.MoveAsync(surface.X + 300, surface.Y + 300, new() { Steps = 4 });
        await page.Mouse.MoveAsync(surface.X + 420, surface.Y + 320, new() { Steps = 4 });
    }

    private static async Task<(double X, double Y)> NoteAsync(IPage page)
    {
        var drawing = await DrawingAsync(page);
        var note = drawing.EnumerateArray().Single(item => item.GetProperty("kind").GetString() == "note");
        return (note.GetProperty("x").GetDouble(), note.GetProperty("y").GetDouble());
    }

    private static async Task<JsonElement> DrawingAsync(IPage page) =>
        JsonDocument.Parse(await page.GetByTestId("together").EvaluateAsync<string>("together => JSON.stringify(together.drawing)")).RootElement;

    private static async Task AreTheSameAsync(int count, params IPage[] pages)
    {
        foreach (var page in pages)
        {
            await HasAsync(page, count);
            await Expect(page.GetByTestId("together")).ToHaveAttributeAsync("data-waiting", "0");
        }

        await Eventually.BecomesTrueAsync(
            async () => (await Task.WhenAll(pages.Select(async page => (await DrawingAsync(page)).GetRawText()))).Distinct(StringComparer.Ordinal).Count() == 1,
            "the drawings differ");
    }

    private static Task<byte[]> ShootAsync(IPage page, string name) => page.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, $"{name}.png") });
}
