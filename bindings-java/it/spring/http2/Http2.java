import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Asks one URL over one HTTP/2 connection, once for each tag given; `-` is none. */
public class Http2 {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build();
        for (int i = 1; i < args.length; i++) {
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(args[0]));
            if (!args[i].equals("-")) {
                request.header("x-mse-tag", args[i]);
            }
            HttpResponse<String> answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.version() + " " + answer.body());
        }
    }
}
