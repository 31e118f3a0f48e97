using System.Net.Http.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What users write is shown, and never becomes part of the page.</summary>
[Collection(PageTopology.Name)]
public sealed class MarkupScenarios(Topology topology, Browser browser)
{
    /// <summary>Each of them sets a mark, or opens a dialog, where it is taken for markup or for a script.</summary>
    private static readonly string[] Attacks =
    [
        "<script>window.broken=1</script>",
        "<ScRiPt src=data:text/javascript,window.broken=1></sCrIpT>",
        "<script/x>window.broken=1</script\n>",
        "<<script>window.broken=1//<</script>",
        "</p></li></ol><script>window.broken=1</script>",
        "\"><script>window.broken=1</script>",
        "'-window.broken=1-'",
        "</script><script>window.broken=1</script>",
        "<img src=x onerror=window.broken=1>",
        "<img src=x onerror=\"alert(1)\">",
        "<img/src=`x`onerror=window.broken=1>",
        "<img src=x:x onerror\n=\nwindow.broken=1>",
        "<IMG SRC=\"jav\tascript:window.broken=1\">",
        "<svg onload=window.broken=1>",
        "<svg/onload=window.broken=1//",
        "<svg><script>window.broken=1</script></svg>",
        "<svg><animate onbegin=window.broken=1 attributeName=x dur=1s></svg>",
        "<svg><a xlink:href=\"javascript:window.broken=1\"><text y=20>here</text></a></svg>",
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--><img src onerror=window.broken=1>\">",
        "<noscript><p title=\"</noscript><img src=x onerror=window.broken=1>\">",
        "<form><math><mtext></form><form><mglyph><style></math><img src onerror=window.broken=1>",
        "<template><img src=x onerror=window.broken=1></template>",
        "<body onload=window.broken=1>",
        "<iframe src=\"javascript:parent.broken=1\"></iframe>",
        "<iframe srcdoc=\"<script>parent.broken=1</script>\"></iframe>",
        "<object data=\"data:text/html,<script>parent.broken=1</script>\"></object>",
        "<embed src=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='parent.broken=1'/>\">",
        "<details open ontoggle=window.broken=1>",
        "<input autofocus onfocus=window.broken=1>",
        "<video><source onerror=window.broken=1></video>",
        "<marquee onstart=window.broken=1>x</marquee>",
        "<a href=\"javascript:window.broken=1\">click</a>",
        "javascript:window.broken=1",
        "JaVaScRiPt:alert(1)//https://example.test/",
        "https://example.test/\"onmouseover=\"window.broken=1",
        "https://example.test/'><img src=x onerror=window.broken=1>",
        "data:text/html,<script>window.broken=1</script>",
        "&lt;script&gt;window.broken=1&lt;/script&gt;",
        "&#60;img src=x onerror=window.broken=1&#62;",
        "&#x3C;svg onload&#x3D;window.broken&#x3D;1&#x3E;",
        "\u003cscript\u003ewindow.broken=1\u003c/script\u003e \\u003cscript\\u003e",
        "%3Cscript%3Ewindow.broken=1%3C/script%3E",
        "+ADw-script+AD4-window.broken=1+ADw-/script+AD4-",
        "\uff1cscript\uff1ewindow.broken=1\uff1c/script\uff1e",
        "\u202e<script>window.broken=1</script>\u202c \u2028 \u2029 \ufeff",
        "{{constructor.constructor('window.broken=1')()}} ${window.broken=1} <%= window.broken=1 %> @(window.broken=1)",
        "<style>@import 'data:text/css,*{display:none}';</style><link rel=stylesheet href=data:text/css,*{display:none}>",
        "<base href=https://example.test/><meta http-equiv=refresh content=\"0;url=javascript:window.broken=1\">",
    ];

    /// <summary>The same dressed in Markdown, and as addresses that it may not lead to.</summary>
    private static readonly string[] Dressed =
    [
        "**<img src=x onerror=window.broken=1>**",
        "> <svg onload=window.broken=1>",
        "- <iframe src=\"javascript:parent.broken=1\"></iframe>\n- `<script>window.broken=1</script>`",
        "```html\n<script>window.broken=1</script>\n```",
        "[click](javascript:window.broken=1) [click](data:text/html,<script>parent.broken=1</script>)",
        "![x](x\" onerror=\"window.broken=1) @<script>window.broken=1</script>",
        "[<img src=x onerror=window.broken=1>](https://example.test/x)",
        "_<details open ontoggle=window.broken=1>_ ~~<body onload=window.broken=1>~~",
    ];

    /// <summary>Of everything in the room's page, whatever a text could only have made as markup.</summary>
    private const string Foreign = """
        () => [...document.querySelectorAll("live-room *, dialog *, .sidebar *")]
          .filter(made => [...made.attributes].some(one => one.name.startsWith("on") || one.name === "srcdoc")
            || ["SCRIPT", "IFRAME", "OBJECT", "EMBED", "STYLE", "LINK", "BASE", "DETAILS", "VIDEO", "MARQUEE", "IMG"].includes(made.tagName)
            || (made.tagName === "A" && !/^(\/|https?:\/\/(example\.test|www\.w3\.org)\/)/.test(made.getAttribute("href") ?? "/"))
            || (made instanceof SVGElement && !["svg", "path", "circle", "rect"].includes(made.tagName)))
          .map(made => made.outerHTML)
        """;

    private const string MadeOf = """
        () => [...document.querySelectorAll("[data-testid=message] *")]
          .filter(made => !made.closest("li > .tools"))
          .filter(made => !["P", "B", "SPAN", "TIME", "DIV", "A", "STRONG", "EM", "S", "CODE"].includes(made.tagName) || [...made.attributes].some(one => one.name.startsWith("on") || one.name === "srcdoc")
            || (made.tagName === "A" && (!/^https?:\/\/(example\.test|www\.w3\.org)\//.test(made.getAttribute("href")) || made.rel !== "noopener noreferrer nofollow")))
          .map(made => made.outerHTML)
        """;

    [Fact]
    public async Task Whatever_is_written_in_a_room_is_shown_as_it_is_and_nothing_of_it_runs()
    {
        var room = WebPages.NewName("vault");
        await using var mallory = await topology.ConnectAsync("mallory");
        foreach (var text in Attacks)
        {
            await mallory.PublishAsync($"room:{room}", "chat:message", new { text }, cancellationToken: Topology.Cancelled);
        }

        var (page, dialogs) = await OpenAsync();
        await page.SignInAsync(topology, "ada");
        await page.OpenRoomAsync(topology, room);
        await Expect(page.GetByTestId("message")).ToHaveCountAsync(Attacks.Length);
        // Those that come while somebody looks, and those that somebody writes, take other ways.
        await mallory.PublishAsync($"room:{room}", "chat:message", new { text = Attacks[8] }, cancellationToken: Topology.Cancelled);
        await Expect(page.GetByTestId("message")).ToHaveCountAsync(Attacks.Length + 1);
        await page.SayAsync(Attacks[13]);
        await Expect(page.Stored()).ToHaveCountAsync(Attacks.Length + 2);

        string[] written = [.. Attacks, Attacks[8], Attacks[13]];
        // Markdown's own marks become what they stand for; everything else is there as it was written.
        Assert.Equal(written.Select(WithoutMarks), (await page.GetByTestId("message-text").AllTextContentsAsync()).Select(WithoutMarks));
        await page.GetByTestId("message-text").Locator("a").EvaluateAllAsync<object?>("links => links.forEach(link => link.dispatchEvent(new MouseEvent('mouseover', { bubbles: true })))");
        Assert.Empty(await page.EvaluateAsync<string[]>(MadeOf));
        await RequireUnbrokenAsync(page, dialogs);
    }

    [Fact]
    public async Task What_is_written_is_text_in_a_thread_an_answer_a_pin_a_hit_a_report_and_a_title_too()
    {
        var room = WebPages.NewName("crypt");
        var owner = WebPages.NewName("ada");
        var topic = $"room:{room}";
        using var http = await topology.HttpAsync(owner);
        using var made = await http.PostAsJsonAsync("/rooms", new { name = room, title = Attacks[8], description = Attacks[9] }, Topology.Cancelled);
        Assert.Equal(201, (int)made.StatusCode);
        await using var mallory = await topology.ConnectAsync("mallory");
        string[] written = [.. Dressed, $"needle {Attacks[8]}", $"needle {Attacks[13]}"];
        for (var i = 0; i < written.Length; i++)
        {
            await mallory.PublishAsync(topic, "chat:message", new { text = written[i] }, cancellationToken: Topology.Cancelled);
            await mallory.PublishAsync(topic, "chat:message", new { text = written[i], replyTo = $"{(2 * i) + 1}" }, cancellationToken: Topology.Cancelled);
        }

        await mallory.PublishAsync(topic, "chat:message", new { text = Attacks[9], thread = "1" }, cancellationToken: Topology.Cancelled);
        await mallory.PublishAsync(topic, "chat:pin", new { on = true }, entityId: "1", cancellationToken: Topology.Cancelled);
        await mallory.PublishAsync(topic, "chat:reaction", new { emoji = Attacks[8], on = true }, entityId: "1", cancellationToken: Topology.Cancelled);
        using var outsider = await topology.HttpAsync("mallory");
        using var reported = await outsider.PostAsJsonAsync($"/rooms/{room}/messages/2/reports", new { reason = Attacks[8] }, Topology.Cancelled);
        Assert.Equal(201, (int)reported.StatusCode);

        var (page, dialogs) = await OpenAsync();
        await page.SignInAsync(topology, owner);
        await page.OpenRoomAsync(topology, room);
        await Expect(page.GetByTestId("room-title")).ToHaveTextAsync(Attacks[8]);
        await Expect(page.GetByTestId("room-about")).ToHaveTextAsync(Attacks[9]);
        await Expect(page.GetByTestId("quote")).ToHaveCountAsync(written.Length);
        Assert.Empty(await page.EvaluateAsync<string[]>(Foreign));

        await page.GetByTestId("replies").ClickAsync();
        await Expect(page.GetByTestId("thread").GetByTestId("message-text").Last).ToHaveTextAsync(Attacks[9]);
        Assert.Empty(await page.EvaluateAsync<string[]>(Foreign));
        await page.GetByTestId("open-pins").ClickAsync();
        await Expect(page.GetByTestId("found")).ToHaveCountAsync(1);
        Assert.Empty(await page.EvaluateAsync<string[]>(Foreign));
        await page.GetByTestId("open-search").ClickAsync();
        await page.GetByTestId("search").FillAsync("needle");
        await Expect(page.GetByTestId("found")).ToHaveCountAsync(4);
        Assert.Empty(await page.EvaluateAsync<string[]>(Foreign));
        await page.GetByTestId("room-menu").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Reports" }).ClickAsync();
        await Expect(page.GetByTestId("report")).ToContainTextAsync(Attacks[8]);
        Assert.Empty(await page.EvaluateAsync<string[]>(Foreign));
        await RequireUnbrokenAsync(page, dialogs);
    }

    [Fact]
    public async Task Markup_as_the_name_of_a_user_or_a_room_is_refused_and_shown_as_it_is()
    {
        var (page, dialogs) = await OpenAsync();
        await page.GotoAsync(topology.Web.ToString());
        foreach (var name in Attacks.Where(attack => attack.Length <= 160 && !attack.Contains('\n', StringComparison.Ordinal)).Take(12))
        {
            await page.GetByTestId("name").FillAsync(name);
            await page.GetByTestId("sign-in").ClickAsync();
            await Expect(page.GetByTestId("sign-in-problem")).ToBeVisibleAsync();
            await Expect(page.GetByTestId("name")).ToHaveValueAsync(name);
            await Expect(page.Locator("form :is(script, img, svg[onload])")).ToHaveCountAsync(0);
        }

        await page.SignInAsync(topology, "ada");
        foreach (var name in (string[])[Attacks[0], Attacks[5], Attacks[8], Attacks[13], Attacks[37]])
        {
            await page.GotoAsync(new Uri(topology.Web, $"/rooms?open={Uri.EscapeDataString(name)}").ToString());
            await Expect(page.GetByTestId("open-room-problem")).ToBeVisibleAsync();
            await Expect(page.GetByTestId("open-room")).ToHaveValueAsync(name);
            Assert.Equal(404, (await page.GotoAsync(new Uri(topology.Web, $"/rooms/{Uri.EscapeDataString(name)}").ToString()))!.Status);
            await Expect(page.GetByTestId("not-found")).ToBeVisibleAsync();
        }

        await RequireUnbrokenAsync(page, dialogs);
    }

    /// <summary>The second wall: what came into the page all the same would not run.</summary>
    [Fact]
    public async Task A_script_that_gets_into_the_page_does_not_run()
    {
        var (page, dialogs) = await OpenAsync();
        await page.SignInAsync(topology, "ada");
        var answer = await page.GotoAsync(new Uri(topology.Web, $"/rooms/{WebPages.NewName("safe")}").ToString());
        var policy = answer!.Headers["content-security-policy"];
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Contains("default-src 'self'", policy, StringComparison.Ordinal);
        Assert.Contains("object-src 'none'", policy, StringComparison.Ordinal);
        await page.BecomesAsync("connected");

        await page.EvaluateAsync("""
            () => {
              window.violations = [];
              addEventListener("securitypolicyviolation", event => window.violations.push(event.effectiveDirective));
              const add = (tag, set) => { const made = document.createElement(tag); set(made); document.body.append(made); return made; };
              add("script", made => { made.textContent = "window.broken = 1"; });
              add("script", made => { made.src = "data:text/javascript,window.broken=1"; });
              add("div", made => { made.innerHTML = "<img src=/nothing.png onerror='window.broken=1'><svg onload='window.broken=1'></svg>"; });
              add("a", made => { made.href = "javascript:window.broken=1"; }).click();
              add("div", made => { made.innerHTML = "<style>body { display: none }</style>"; });
            }
            """);

        await Eventually.BecomesTrueAsync(
            async () => await page.EvaluateAsync<string[]>("() => window.violations") is var seen
                && seen.Contains("script-src-elem") && seen.Contains("script-src-attr") && seen.Contains("style-src-elem"),
            "the browser has refused nothing");
        await Expect(page.GetByTestId("composer")).ToBeVisibleAsync();
        await RequireUnbrokenAsync(page, dialogs);
    }

    private async Task<(IPage Page, List<string> Dialogs)> OpenAsync()
    {
        var (page, _) = await browser.OpenAsync();
        var dialogs = new List<string>();
        page.Dialog += (_, dialog) =>
        {
            dialogs.Add(dialog.Message);
            _ = dialog.DismissAsync();
        };
        return (page, dialogs);
    }

    private static string WithoutMarks(string text) => text.Replace("*", "", StringComparison.Ordinal).Replace("`", "", StringComparison.Ordinal).Replace("\\", "", StringComparison.Ordinal);

    private static async Task RequireUnbrokenAsync(IPage page, List<string> dialogs)
    {
        Assert.True(await page.EvaluateAsync<bool>("() => !('broken' in window)"), "something has run");
        Assert.Empty(dialogs);
    }
}
