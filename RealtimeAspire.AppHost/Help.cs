namespace RealtimeAspire.AppHost;

internal static class Help
{
    public static bool IsAskedFor(string[] args) => args.Any(arg => arg is "--help" or "-h" or "-?");

    public static int Print()
    {
        Console.WriteLine("""
            Runs RealtimeAspire on this machine: two API nodes, the web client, Redis, PostgreSQL and the Aspire dashboard.

            dotnet run --project RealtimeAspire.AppHost [-- settings]

              --Ports:Web=5100          port of the web client; 0 for any free one
              --Ports:Api=5200          port of the API, shared by its nodes; 0 for any free one
              --Ports:Dashboard=18888   port of the Aspire dashboard; 0 for any free one
              --UseVolumes=true         keep the data of Redis and PostgreSQL over runs
              --seed                    fill a place that is new with people, rooms and a drawing; in development

            Each setting can also be given as an environment variable (Ports__Web=5100) or in appsettings.json.
            ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS=true switches the dashboard's login off.
            Ctrl+C stops everything.
            """);
        return 0;
    }
}
