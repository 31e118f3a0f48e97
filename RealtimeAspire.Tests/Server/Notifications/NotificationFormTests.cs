using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Features.Notifications;

namespace RealtimeAspire.Tests.Server.Notifications;

/// <summary>What comes from outside: sends, settings, and addresses of push services.</summary>
public sealed class NotificationFormTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(60);
    private static readonly NotificationKinds Kinds = new(Options.Create(new NotificationOptions()));

    [Theory]
    [InlineData("mention", "Hi", null, null)]
    [InlineData("other", "Hi", null, "kind_unknown")]
    [InlineData("mention", "", null, "request_invalid")]
    [InlineData("mention", "   ", null, "request_invalid")]
    [InlineData("mention", "two\nlines", null, "request_invalid")]
    [InlineData("mention", "half \ud800 a pair", null, "request_invalid")]
    [InlineData("mention", "Hi", "/rooms/general?at=7#x", null)]
    [InlineData("mention", "Hi", "https://example.org/a", null)]
    [InlineData("mention", "Hi", "javascript:alert(1)", "request_invalid")]
    [InlineData("mention", "Hi", "//elsewhere.example", "request_invalid")]
    [InlineData("mention", "Hi", "/\\elsewhere.example", "request_invalid")]
    [InlineData("mention", "Hi", "rooms/general", "request_invalid")]
    [InlineData("mention", "Hi", "data:text/html,x", "request_invalid")]
    public void What_is_sent_has_a_kind_that_there_is_one_line_of_title_and_a_link_that_only_leads(string kind, string title, string? link, string? code) =>
        Assert.Equal(code, CodeOf(new Notification(kind, title) { Link = link }, NotificationAudience.User("ada")));

    [Fact]
    public void Nothing_goes_beyond_its_bounds()
    {
        var hi = new Notification("mention", "Hi");
        var ada = NotificationAudience.User("ada");

        Assert.Equal("request_invalid", CodeOf(hi with { Title = new string('x', 201) }, ada));
        Assert.Equal("request_invalid", CodeOf(hi with { Body = new string('x', 4_001) }, ada));
        Assert.Equal("request_invalid", CodeOf(hi with { CollapseKey = new string('x', 129) }, ada));
        Assert.Equal("request_invalid", CodeOf(hi with { ExpiresAt = Now }, ada));
        Assert.Equal("payload_too_large", CodeOf(hi with { Data = JsonElement.Parse($"\"{new string('x', 9_000)}\"") }, ada));
        Assert.Equal("payload_invalid", CodeOf(hi with { Data = JsonElement.Parse("""{"a":1,"a":2}""") }, ada));
        Assert.Equal("batch_empty", CodeOf(hi, NotificationAudience.Several([])));
        Assert.Equal("batch_too_large", CodeOf(hi, NotificationAudience.Several([.. Enumerable.Range(0, 1_001).Select(i => $"u{i}")])));
        Assert.Equal("user_invalid", CodeOf(hi, NotificationAudience.User("")));
        Assert.Equal("topic_invalid", CodeOf(hi, NotificationAudience.MembersOf("room")));
        Assert.Null(CodeOf(hi, NotificationAudience.Everybody));
    }

    [Fact]
    public void A_send_is_the_same_in_whichever_order_its_users_are_named_and_another_where_anything_else_differs()
    {
        var hi = new Notification("mention", "Hi");
        byte[] Hash(Notification notification, params string[] users) => NotificationForm.Require(notification, NotificationAudience.Several(users), Kinds, Now).Hash();

        Assert.Equal(Hash(hi, "ada", "bob"), Hash(hi, "bob", "ada", "bob"));
        Assert.NotEqual(Hash(hi, "ada", "bob"), Hash(hi, "ada"));
        Assert.NotEqual(Hash(hi, "ada"), Hash(hi with { Body = "x" }, "ada"));
        Assert.NotEqual(Hash(hi with { Body = "x" }, "ada"), Hash(hi with { Link = "/x" }, "ada"));
    }

    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("127.0.0.1", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.1.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::1", false)]
    [InlineData("::", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("64:ff9b::a00:1", false)]
    [InlineData("2002:a00:1::1", false)]
    public void Push_services_are_at_public_addresses_only(string address, bool isPublic) => Assert.Equal(isPublic, PushDoor.IsPublic(IPAddress.Parse(address)));

    [Fact]
    public void What_is_wrong_with_the_configuration_is_named_with_its_key()
    {
        var options = new NotificationOptions
        {
            KeepDays = 0, LeaseSeconds = 30,
            Kinds = { ["Invoice"] = new KindOptions() },
            Push = { PublicKey = "AAAA", PrivateKey = "AAAA" },
            Email = { Host = "localhost", User = "me", Password = "secret", Security = EmailSecurity.None },
        };

        var failures = new NotificationOptionsValidator().Validate(null, options).Failures!;

        Assert.Equal(
            [
                "Realtime:Notifications:Email:From", "Realtime:Notifications:Email:Security", "Realtime:Notifications:KeepDays", "Realtime:Notifications:Kinds:Invoice",
                "Realtime:Notifications:LeaseSeconds", "Realtime:Notifications:Push:PrivateKey", "Realtime:Notifications:Push:Subject",
            ],
            failures.Select(failure => failure[..failure.IndexOf(": ", StringComparison.Ordinal)]).Order(StringComparer.Ordinal));
        Assert.True(new NotificationOptionsValidator().Validate(null, new NotificationOptions()).Succeeded);
    }

    private static string? CodeOf(Notification notification, NotificationAudience to)
    {
        try
        {
            NotificationForm.Require(notification, to, Kinds, Now);
            return null;
        }
        catch (RealtimeException exception)
        {
            return exception.Code;
        }
    }
}
